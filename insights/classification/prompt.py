"""Turns a timeline into what a model is asked: the static part first, then the visit as compact rows. Pure."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from adapters.llm.port import Prompt
from insights.classification.evidence import kind_of
from insights.privacy.redact import is_about_the_visitor, mask, redact_path, redact_props
from insights.timeline.timeline import Timeline, TimelineEvent

VERSION: Final = "v4"
SCHEMA_VERSION: Final = "1"
"""Counts up with ``parse.ReasonGiven``: answers in another form are not the same answers."""
MOST_EVENTS: Final = 200
MOST_TITLE: Final = 60
IN_PASSING: Final = frozenset({"scrolled", "engaged", "clicked", "form_field", "text_selected", "action_shown"})
"""Left out first where a visit is longer than what is sent."""

IN_ORDER: Final[Mapping[str, tuple[str, ...]]] = {
    "clicked": (_CLICK := ("selector", "label", "section", "heading", "price", "promo", "href", "count")),
    "dead_click": _CLICK,
    "rage_click": _CLICK,
    "scrolled": ("depth", "section"),
    "engaged": ("ms",),
    "product_viewed": ("name", "category", "price_minor", "currency"),
    "hover_hesitation": ("selector", "section", "ms"),
    "form_field": ("form", "field", "kind", "focused_ms", "first_input_ms", "refocused"),
}
"""Details without their names, as the instructions list them: these events are most of a visit."""
LONG_ENOUGH: Final = 8
"""Characters of details from which naming an earlier row with the same ones is shorter."""

_PLAIN = re.compile(r"[A-Za-z0-9_#.\-]{1,24}")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a project wants of a question: the language of narratives, and what does not leave the house beyond the
    usual (names of ``insights.privacy.redact.WITHHOLDABLE``)."""

    language: str = "English"
    withheld: frozenset[str] = frozenset()


USUAL: Final = Wishes()


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt, and which event each short id in it stands for."""

    prompt: Prompt
    events: dict[str, UUID]

    def event(self, cited: str) -> UUID | None:
        """The event that an answer cites: by its id, or by that with the e which models like to put before it."""
        return self.events.get(cited.removeprefix("e"))

    def key(self, speaker: str) -> str:
        """SHA-256 of everything that an answer depends on: the text, the schema and prompt versions, who is asked."""
        parts = (speaker, SCHEMA_VERSION, self.prompt.instructions, self.prompt.material)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def ask_about(timeline: Timeline, wishes: Wishes = USUAL) -> Question:
    """The question about one session. A long one is shortened, and what is left out is counted by type.

    Text of pages and visitors stands in JSON quotes on the one line of its event: it can end neither the quotes nor
    the line, and reading the quotes gives it back unchanged.
    """
    numbered = list(enumerate(timeline.events, start=1))
    sent = _shortened(numbered)
    pages: dict[str, str] = {}
    rows: list[str] = []
    said: dict[tuple[str, str], int] = {}
    before = ""
    start = timeline.events[0].at if timeline.events else None
    for number, event in sent:
        page = pages.setdefault(redact_path(event.path), str(len(pages) + 1))
        seconds = (event.at - start).total_seconds() if start else 0.0
        details = _details(event, wishes.withheld)
        if len(details) >= LONG_ENOUGH:
            first = said.setdefault((event.type, details), number)
            details = details if first == number else f"={first}"
        rows.append(f"{number},{seconds:.0f},{'' if page == before else page},{_known(event.type)},{details}")
        before = page
    titles = {} if "titles" in wishes.withheld else _titles(timeline)
    lines = [
        f"kind: {kind_of(timeline)}",
        f"language: {wishes.language}",
        _before(timeline),
        *(f"page {alias}: {_quoted(path)}{_title(titles.get(path))}" for path, alias in pages.items()),
    ]
    if len(sent) < len(numbered):
        kept = {number for number, _ in sent}
        left = Counter(_known(event.type) for number, event in numbered if number not in kept)
        counts = ", ".join(f"{count} {type}" for type, count in left.most_common())
        lines.append(f"{left.total()} of {len(numbered)} events are left out: {counts}")
    lines += ["id,seconds,page,event,details", *rows]
    return Question(Prompt(_instructions(), "\n".join(lines)), {str(number): event.id for number, event in sent})


def _before(timeline: Timeline) -> str:
    prior = timeline.prior
    line = f"earlier visits: {prior.sessions}, earlier orders: {prior.purchases}"
    if prior.last_seen_at is not None and timeline.events:
        days = (timeline.events[0].at - prior.last_seen_at).total_seconds() / 86_400
        line += f", last seen {max(0.0, days):.1f} days before"
    return line


def _titles(timeline: Timeline) -> dict[str, str]:
    """Redacted path to the title it had first; none of pages that are about the visitor."""
    titles: dict[str, str] = {}
    for event in timeline.events:
        title = event.props.get("title") if event.type == "page_viewed" else None
        path = redact_path(event.path)
        if isinstance(title, str) and title and path not in titles and not is_about_the_visitor(path):
            titles[path] = mask(title, MOST_TITLE)
    return titles


def _title(title: str | None) -> str:
    return f" {_quoted(title)}" if title else ""


def _shortened(numbered: Sequence[tuple[int, TimelineEvent]]) -> list[tuple[int, TimelineEvent]]:
    """All events, or what tells most: first without those made in passing, then the beginning and the end."""
    if len(numbered) <= MOST_EVENTS:
        return list(numbered)
    telling = [item for item in numbered if item[1].type not in IN_PASSING]
    if len(telling) <= MOST_EVENTS:
        return telling or list(numbered[: MOST_EVENTS // 2]) + list(numbered[-MOST_EVENTS // 2 :])
    return [*telling[: MOST_EVENTS // 2], *telling[-MOST_EVENTS // 2 :]]


def _details(event: TimelineEvent, withheld: frozenset[str]) -> str:
    kept = redact_props(event.type, event.props, withheld)
    order = IN_ORDER.get(event.type)
    if order is not None:
        values = [_value(kept[name]) if name in kept else "-" for name in order]
        while values and values[-1] == "-":
            values.pop()
        return " ".join(values)
    return " ".join(f"{name}={_value(value)}" for name, value in kept.items())


def _value(value: object) -> str:
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else _quoted(value)
    return msgspec.json.encode(value).decode()


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _known(type: str) -> str:
    # Stored types come from the catalogue; this holds even for a row that something else wrote.
    return type if _PLAIN.fullmatch(type) else "custom"


@cache
def _instructions() -> str:
    return (Path(__file__).parent / "prompts" / f"{VERSION}.md").read_text(encoding="utf-8").strip()
