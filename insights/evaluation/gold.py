"""Gold: visits with the reasons that a person who watched them would name, shipped or a user's own.

One file is a JSON object with a list ``stories``. A story has an ``id``, its acceptable ``answers`` (one reason, or two
where both would be fair), a sentence ``story`` for people, what is known from ``prior`` visits and its ``events``, each
a list of seconds from the start, type, path and props as they come over the wire.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from insights.errors import WhyleftError
from insights.timeline.assemble import assemble
from insights.timeline.timeline import PriorVisits, Timeline, TimelineEvent
from insights.vocabulary.events import PROPS
from insights.vocabulary.ids import uuid7_from_key
from insights.vocabulary.reasons import ABANDONED_REASONS, Kind, Reason, reasons_of

SHIPPED: Final = Path(__file__).parent / "gold"
START: Final = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
NOBODY: Final = UUID(int=0)
Half = Literal["tuning", "held-out"]


class GoldInvalid(WhyleftError):
    """A gold file cannot be used; the message names the file, the story and the field."""

    status = 400
    title = "The gold file cannot be used"


class _Prior(msgspec.Struct, forbid_unknown_fields=True):
    sessions: int = 0
    orders: int = 0
    days_ago: float | None = None


class _Told(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    answers: list[Reason]
    events: list[tuple[float, str, str, dict[str, Any]]]
    story: str = ""
    prior: _Prior = msgspec.field(default_factory=_Prior)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    stories: list[_Told]


@dataclass(frozen=True, slots=True)
class GoldStory:
    """One visit, and the reasons that are right for it."""

    id: str
    answers: frozenset[Reason]
    told: str
    timeline: Timeline

    @property
    def kind(self) -> Kind:
        return Kind.ABANDONED if self.answers <= frozenset(ABANDONED_REASONS) else Kind.CONVERTED

    @property
    def half(self) -> Half:
        """Rules, weights and calibration may be fitted on the tuning half only; the other says how well that went.

        Stories numbered odd are for tuning. Those without a number are divided by a hash of their id.
        """
        digits = self.id.rpartition("-")[2]
        number = int(digits) if digits.isdecimal() else hashlib.sha256(self.id.encode()).digest()[0]
        return "tuning" if number % 2 else "held-out"


def shipped_stories() -> list[GoldStory]:
    """The stories that come with Whyleft, written before the rules were looked at."""
    return [story for path in sorted(SHIPPED.glob("*.json")) for story in read_stories(path)]


def read_stories(path: Path) -> list[GoldStory]:
    """The stories of one file. Raises GoldInvalid."""
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise GoldInvalid(f"{path} cannot be read ({error.strerror}): pass the path of a gold file.") from None
    except msgspec.MsgspecError as error:
        raise GoldInvalid(f"{path} is not a gold file: {error}. docs/evaluation.md shows the form.") from None
    stories = [_story(path, told) for told in file.stories]
    if not stories:
        raise GoldInvalid(f"{path} holds no stories.")
    if len({story.id for story in stories}) < len(stories):
        raise GoldInvalid(f"{path}: two stories have the same id.")
    return stories


def as_file(stories: Iterable[GoldStory]) -> bytes:
    """A gold file of these stories, one event a line; ``read_stories`` reads it back."""
    encode = msgspec.json.encode
    parts = []
    for story in stories:
        prior = story.timeline.prior
        head = encode(
            {
                "id": story.id,
                "answers": sorted(story.answers),
                "story": story.told,
                "prior": {"sessions": prior.sessions, "orders": prior.purchases, "days_ago": _days_ago(story.timeline)},
            }
        )
        events = b",\n    ".join(encode(event) for event in _events(story.timeline))
        parts.append(b"  " + head[:-1] + b',\n   "events": [\n    ' + events + b"]}")
    return b'{"stories": [\n' + b",\n".join(parts) + b"\n]}\n"


def _story(path: Path, told: _Told) -> GoldStory:
    def refuse(why: str) -> GoldInvalid:
        return GoldInvalid(f"{path}: story {told.id!r}: {why}")

    if not told.events:
        raise refuse("events is empty; a visit has at least one.")
    bought = any(kind == "purchased" for _, kind, _, _ in told.events)
    kind = Kind.CONVERTED if bought else Kind.ABANDONED
    if not told.answers or any(answer not in reasons_of(kind) for answer in told.answers):
        ended = "with a purchase" if bought else "without a purchase"
        raise refuse(f"answers must be reasons of a visit that ended {ended}: {', '.join(reasons_of(kind))}.")
    events = []
    for number, (seconds, type, page, props) in enumerate(told.events):
        if type not in PROPS:
            raise refuse(f"events[{number}] has the unknown type {type!r}.")
        try:
            msgspec.convert(props, PROPS[type])
        except msgspec.ValidationError as error:
            raise refuse(f"events[{number}] ({type}): {error}.") from None
        events.append(
            TimelineEvent(
                id=uuid7_from_key(int(START.timestamp() * 1000), f"{told.id} {number}"),
                at=START + timedelta(seconds=seconds),
                type=type,
                seq=number,
                url=f"https://shop.example{page}",
                props=props,
            )
        )
    seen = None if told.prior.days_ago is None else START - timedelta(days=told.prior.days_ago)
    prior = PriorVisits(told.prior.sessions, told.prior.orders, seen)
    session = uuid7_from_key(int(START.timestamp() * 1000), told.id)
    return GoldStory(told.id, frozenset(told.answers), told.story, assemble(NOBODY, session, NOBODY, events, prior))


def _events(timeline: Timeline) -> Iterator[tuple[float, str, str, dict[str, Any]]]:
    start = timeline.events[0].at
    for event in timeline.events:
        yield round((event.at - start).total_seconds(), 3), event.type, event.path, dict(event.props)


def _days_ago(timeline: Timeline) -> float | None:
    seen = timeline.prior.last_seen_at
    return None if seen is None else round((timeline.events[0].at - seen).total_seconds() / 86_400, 3)
