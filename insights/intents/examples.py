"""Makes examples out of stored sessions: what was known at an event, and what came of it after that event. Pure.

Point in time: a row is read off the profile before the next event is folded, by the fold of the live path, so nothing
later can be in it; an outcome is looked for only in what follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from insights.intents.features import features
from insights.profiles.fold import fold
from insights.profiles.pages import event_path
from insights.profiles.profile import Profile
from insights.timeline.timeline import TimelineEvent

TAKEN_AT: Final = (1, 2, 3, 4, 6, 8, 11, 15, 20, 28, 40, 60, 90)
"""After how many events of a session a row is taken: often at first, where most sessions are."""
SEEN: Final = ((1, 1), (2, 2), (3, 4), (5, 8), (9, 15), (16, 40), (41, 1_000_000))
"""From and to how many events, for what is told by the number of events seen."""

GOES_ON: Final = frozenset(
    {"page_viewed", "product_viewed", "cart_added", "searched", "checkout_started", "checkout_step", "purchased"}
)

MEANING: Final = {
    "propensity": "an order came later in the same visit",
    "bounce_risk": "nothing came later in the visit: no page, product, search, cart, checkout step or order",
    "price_sensitivity": "a code was tried later in the same visit",
}
"""Score → the outcome it is fitted to."""


@dataclass(frozen=True, slots=True)
class Example:
    """One row. ``seen``: events of the session so far; ``at_ms``: when its session began; ``outcomes``: score → it came
    true, for the three scores in order."""

    session: UUID
    at_ms: int
    seen: int
    row: tuple[float, ...]
    outcomes: tuple[bool, bool, bool]


def examples(visits: Iterable[tuple[UUID, Sequence[TimelineEvent]]]) -> list[Example]:
    """The examples of one visitor: ``visits`` are (session id, events in order), the earliest first.

    Nothing is taken once an order was made, nor of a visit by a machine.
    """
    profile = Profile()
    found: list[Example] = []
    for session_id, events in visits:
        found.extend(_of_visit(profile, session_id, events))
    return [] if profile.bot else found


def _of_visit(profile: Profile, session_id: UUID, events: Sequence[TimelineEvent]) -> list[Example]:
    rows: list[tuple[int, tuple[float, ...]]] = []
    for number, event in enumerate(events, start=1):
        at_ms = round(event.at.timestamp() * 1000)
        fold(
            profile,
            event_id=event.id,
            session_id=session_id,
            at_ms=at_ms,
            type=event.type,
            path=event_path(event.type, event.url, event.props.get("path")),
            props=event.props,
        )
        if profile.bought:
            break
        if number in _TAKEN:
            rows.append((number, features(profile, at_ms)))
    for event in events[number:] if events else ():
        # What comes after the order is folded for the next visit's sake.
        at_ms = round(event.at.timestamp() * 1000)
        path = event_path(event.type, event.url, event.props.get("path"))
        fold(
            profile,
            event_id=event.id,
            session_id=session_id,
            at_ms=at_ms,
            type=event.type,
            path=path,
            props=event.props,
        )
    last = {
        kind: max((n for n, event in enumerate(events, start=1) if event.type in types), default=0)
        for kind, types in _LATEST.items()
    }
    began = round(events[0].at.timestamp() * 1000) if events else 0
    return [
        Example(session_id, began, seen, row, (last["order"] > seen, last["on"] <= seen, last["code"] > seen))
        for seen, row in rows
    ]


_TAKEN: Final = frozenset(TAKEN_AT)
_LATEST: Final = {"order": frozenset({"purchased"}), "on": GOES_ON, "code": frozenset({"coupon_tried"})}
