"""Tells a timeline as chapters: each page visited is one, and inside it events, pauses and decisions in order.

Runs of quiet events (scrolling, being active) become one line, unless something points at one of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from math import log2
from uuid import UUID

from insights.timeline.timeline import TimelineEvent
from insights.viewer.event_words import Words, fields_of, words_of
from insights.viewer.props import number
from insights.viewer.wording import duration
from insights.vocabulary.shares import percent

QUIET_TYPES = frozenset({"scrolled", "engaged"})
SHORTEST_PAUSE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event. ``citation``: its number in the insight's evidence. ``elsewhere``: its page, where it is not the
    chapter's (another tab). ``tab``: 2 for the second tab of the session; None in the first."""

    event: TimelineEvent
    words: Words
    fields: tuple[tuple[str, str], ...]
    since_start: float
    citation: int | None
    elsewhere: str | None
    tab: int | None


@dataclass(frozen=True, slots=True)
class QuietLine:
    """Several quiet events in a row, summed up in ``text``."""

    events: tuple[TimelineEvent, ...]
    text: str
    since_start: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing happened for a while. ``height`` grows with the logarithm of its length."""

    seconds: float
    height: int


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """A decision stands here; ``decision_id`` leads to it."""

    decision_id: UUID


Line = EventLine | QuietLine | Pause | DecisionLine


@dataclass(slots=True)
class Chapter:
    """One page's stretch of the visit. ``continued``: it began on an earlier page of a long timeline."""

    number: int
    path: str
    title: str
    since_start: float
    seconds: float = 0.0
    active_seconds: float = 0.0
    depth: float | None = None
    continued: bool = False
    lines: list[Line] = field(default_factory=list)


def chapters(
    events: Sequence[TimelineEvent],
    *,
    start: int = 0,
    stop: int | None = None,
    citations: Mapping[UUID, int],
    decisions: Mapping[UUID, Sequence[UUID]],
    pointed_at: Collection[UUID] = (),
) -> list[Chapter]:
    """The chapters of ``events[start:stop]``, of a whole timeline in order.

    ``citations``: event → its number. ``decisions``: event → decisions made upon it. ``pointed_at``: further events
    that keep a line of their own.
    """
    if not events:
        return []
    began = events[0].at
    tabs = _tab_numbers(events)
    own_line = {*citations, *decisions, *pointed_at}
    told: list[Chapter] = []
    quiet: list[TimelineEvent] = []
    last: datetime | None = events[start - 1].at if start else None
    number, path, title = _before(events, start)

    def settle() -> None:
        if quiet:
            told[-1].lines.append(QuietLine(tuple(quiet), _quiet_text(quiet), (quiet[0].at - began).total_seconds()))
            quiet.clear()

    for event in events[start:stop]:
        since = (event.at - began).total_seconds()
        pause = event.at - last if last is not None else timedelta(0)
        if told and pause >= SHORTEST_PAUSE:
            settle()
            told[-1].lines.append(_pause(pause))
        opens = event.type == "page_viewed" or number == 0
        if opens:
            number, path = number + 1, event.path
            title = _title(event)
        if opens or not told:
            if told:
                settle()
            told.append(Chapter(number, path, title, since, continued=not opens))
        chapter = told[-1]
        _measure(chapter, event, since)
        if event.type in QUIET_TYPES and event.id not in own_line:
            quiet.append(event)
        else:
            settle()
            chapter.lines.append(
                EventLine(
                    event,
                    words_of(event),
                    fields_of(event),
                    since,
                    citations.get(event.id),
                    event.path if event.path and event.path != path else None,
                    tabs[event.tab] if tabs[event.tab] > 1 else None,
                )
            )
            chapter.lines += [DecisionLine(decision) for decision in decisions.get(event.id, ())]
        last = event.at
    settle()
    for chapter, following in pairwise(told):
        chapter.seconds = following.since_start - chapter.since_start
    return told


def _tab_numbers(events: Sequence[TimelineEvent]) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for event in events:
        numbers.setdefault(event.tab, len(numbers) + 1)
    return numbers


def _before(events: Sequence[TimelineEvent], start: int) -> tuple[int, str, str]:
    """Number, path and title of the chapter that is running when ``events[start]`` comes."""
    number, path, title = 0, "", ""
    for event in events[:start]:
        if event.type == "page_viewed" or number == 0:
            number, path, title = number + 1, event.path, _title(event)
    return number, path, title


def _title(event: TimelineEvent) -> str:
    title = event.props.get("title") if event.type == "page_viewed" else None
    return title[:120] if isinstance(title, str) else ""


def _measure(chapter: Chapter, event: TimelineEvent, since: float) -> None:
    chapter.seconds = since - chapter.since_start
    if event.type == "engaged":
        chapter.active_seconds += (number(event.props, "ms") or 0.0) / 1000
    elif event.type == "scrolled" and (depth := number(event.props, "depth")) is not None:
        chapter.depth = max(chapter.depth or 0.0, min(1.0, depth))


def _pause(length: timedelta) -> Pause:
    seconds = length.total_seconds()
    return Pause(seconds, min(120, 16 + round(9 * log2(seconds / SHORTEST_PAUSE.total_seconds() + 1))))


def _quiet_text(events: Sequence[TimelineEvent]) -> str:
    summed = Chapter(0, "", "", 0.0)
    for event in events:
        _measure(summed, event, 0.0)
    parts = []
    if summed.depth is not None:
        parts.append(f"scrolled to {percent(summed.depth)}")
    if summed.active_seconds:
        parts.append(f"active for {duration(summed.active_seconds)}")
    text = ", ".join(parts) or ("scrolled" if events[0].type == "scrolled" else "active")
    return text[0].upper() + text[1:]
