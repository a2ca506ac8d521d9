"""A visit drawn again from its signals: each page one wire-frame, with what was done on it where it was done.

Nothing of the page itself was recorded, so the frame is a sketch by the kind of page, and a mark stands as far down as
the visitor had scrolled by then. Pure: geometry and words for inline SVG.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from insights.timeline.timeline import TimelineEvent
from insights.viewer.event_words import words_of
from insights.viewer.props import number

TOP: Final = 26
BOTTOM: Final = 286
WINDOW: Final = 78
MOST_SCENES: Final = 40
MOST_MARKS: Final = 12
_GAP: Final = 19.0
_ROOM: Final = 27

_DRAWN: Final = {
    "clicked": "click",
    "rage_click": "problem",
    "dead_click": "problem",
    "hover_hesitation": "pause",
    "form_field": "form",
    "form_submitted": "form",
    "form_abandoned": "form",
    "text_copied": "text",
    "text_selected": "text",
    "exit_intent": "exit",
    "request_failed": "problem",
    "js_error": "problem",
    "tab_hidden": "exit",
    "tab_returned": "exit",
    "cart_added": "cart",
    "cart_removed": "cart",
    "coupon_tried": "cart",
    "checkout_step": "cart",
    "purchased": "cart",
    "reviews_viewed": "text",
    "searched": "text",
    "action_shown": "action",
    "action_clicked": "action",
    "action_dismissed": "action",
}
"""Event type → how its mark is drawn."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something done. ``y`` in the frame, ``at`` milliseconds since the start; ``times``: as often in a row."""

    event_id: UUID
    at: int
    y: float
    kind: str
    label: str
    text: str
    times: int
    cited: int | None


@dataclass(frozen=True, slots=True)
class Scene:
    """One page. ``until`` is when the next one came, or the last event. ``seen``: how far down the frame it was read.

    ``scrolls``: (milliseconds since the start, y of the window), in order. ``further``: marks that found no room.
    """

    number: int
    path: str
    title: str
    layout: str
    at: int
    until: int
    seen: float
    scrolls: tuple[tuple[int, float], ...]
    marks: tuple[Mark, ...]
    further: int


@dataclass(frozen=True, slots=True)
class Replay:
    """All scenes that are drawn; ``further`` of them are not. ``length``: of the visit, in milliseconds."""

    scenes: tuple[Scene, ...]
    further: int
    length: int


def replay(events: Sequence[TimelineEvent], citations: Mapping[UUID, int]) -> Replay | None:
    """The scenes of a timeline in order; ``citations``: event → its number. None when there is nothing to draw."""
    starts = [place for place, event in enumerate(events) if event.type == "page_viewed" or place == 0]
    if not starts:
        return None
    began = events[0].at

    def at(event: TimelineEvent) -> int:
        return round((event.at - began).total_seconds() * 1000)

    scenes = []
    for place, start in enumerate(starts[:MOST_SCENES]):
        stop = starts[place + 1] if place + 1 < len(starts) else len(events)
        until = at(events[stop]) if stop < len(events) else at(events[-1])
        scenes.append(_scene(place + 1, events[start:stop], at, until, citations))
    return Replay(tuple(scenes), max(0, len(starts) - MOST_SCENES), at(events[-1]))


def _scene(
    place: int,
    events: Sequence[TimelineEvent],
    at: Callable[[TimelineEvent], int],
    until: int,
    citations: Mapping[UUID, int],
) -> Scene:
    first, depth, deepest = events[0], 0.0, 0.0
    scrolls: list[tuple[int, float]] = [(at(first), float(TOP))]
    found: list[Mark] = []
    for event in events:
        if event.type == "scrolled" and (told := number(event.props, "depth")) is not None:
            depth = min(1.0, max(0.0, told))
            deepest = max(deepest, depth)
            scrolls.append((at(event), _window(depth)))
        kind = _DRAWN.get(event.type)
        if kind is None:
            continue
        words = words_of(event)
        last = found[-1] if found else None
        if last is not None and (last.label, last.text, last.cited) == (words.label, words.text, None):
            found[-1] = Mark(last.event_id, last.at, last.y, kind, last.label, last.text, last.times + 1, None)
            continue
        y = _window(depth) + WINDOW / 2
        found.append(Mark(event.id, at(event), y, kind, words.label, words.text, 1, citations.get(event.id)))
    kept = _kept(found)
    title = first.props.get("title") if first.type == "page_viewed" else None
    return Scene(
        number=place,
        path=first.path,
        title=title[:80] if isinstance(title, str) else "",
        layout=_layout(events),
        at=at(first),
        until=max(until, at(events[-1])),
        seen=round(_window(deepest) + WINDOW, 1),
        scrolls=tuple(scrolls),
        marks=_apart(kept),
        further=len(found) - len(kept),
    )


def _window(depth: float) -> float:
    """Where the window's upper edge is once its lower edge has seen ``depth`` of the page."""
    return round(max(TOP, TOP + depth * (BOTTOM - TOP) - WINDOW), 1)


def _kept(marks: list[Mark]) -> list[Mark]:
    """As many as there is room for: what is cited and what went wrong first, in their order."""
    if len(marks) <= MOST_MARKS:
        return marks
    worth = sorted(
        range(len(marks)), key=lambda i: (marks[i].cited is None, marks[i].kind not in ("problem", "cart", "action"), i)
    )
    return [marks[i] for i in sorted(worth[:MOST_MARKS])]


def _apart(marks: list[Mark]) -> tuple[Mark, ...]:
    """Moves marks down until none covers another, then back up from the end of the page."""
    order = sorted(range(len(marks)), key=lambda i: (marks[i].y, i))
    at = [marks[i].y for i in order]
    for i in range(1, len(at)):
        at[i] = max(at[i], at[i - 1] + _GAP)
    limit = BOTTOM - 8.0
    for i in reversed(range(len(at))):
        at[i] = min(at[i], limit)
        limit = at[i] - _GAP
    moved = dict(zip(order, at, strict=True))
    return tuple(
        Mark(m.event_id, m.at, round(moved[i], 1), m.kind, fitted(m.label), m.text, m.times, m.cited)
        for i, m in enumerate(marks)
    )


def fitted(text: str) -> str:
    """A label as long as there is room for in the frame."""
    return text if len(text) <= _ROOM else text[: _ROOM - 1] + "…"


def _layout(events: Sequence[TimelineEvent]) -> str:
    """The kind of page that a sketch stands for."""
    types, path = {event.type for event in events}, events[0].path.lower()
    if types & {"checkout_started", "checkout_step", "purchased"} or "checkout" in path:
        return "form"
    if "product_viewed" in types or "/product" in path:
        return "product"
    if "cart" in path or "basket" in path:
        return "rows"
    return "grid" if path in ("", "/") or "searched" in types else "text"
