"""The intent curve as geometry: three lines over the events of a session, one step an event, for an inline SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from insights.timeline.timeline import TimelineEvent
from insights.viewer.event_words import words_of
from insights.viewer.wording import offset
from insights.vocabulary.shares import percent

WIDTH, HEIGHT = 960, 250
LEFT, RIGHT, TOP, BOTTOM = 44, 186, 30, 26
MOST_POINTS = 400
MOST_MARKS = 60
_LABEL_GAP = 18.0
_WORTH = ("cited", "order", "problem", "action", "signal")
_X = Callable[[int], float]
Term = tuple[str, float]
"""A feature, and what it adds to a score's log-odds."""
Terms = Mapping[str, Sequence[Term]]
"""Score → its terms, the largest first."""
MOST_TERMS = 4
_LEAST_MOVE = 0.005

LINES = (
    ("propensity", "Propensity to buy"),
    ("bounce_risk", "Bounce risk"),
    ("price_sensitivity", "Price sensitivity"),
)
"""Score → what the page calls it."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores right after one event, 0..1."""

    propensity: float
    bounce_risk: float
    price_sensitivity: float


@dataclass(frozen=True, slots=True)
class Line:
    """One score: its path, and where its label stands."""

    name: str
    label: str
    path: str
    end_y: float
    label_y: float
    last: float


@dataclass(frozen=True, slots=True)
class Band:
    """The stretch of one page, labelled where there is room."""

    x: float
    width: float
    label: str
    odd: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """An event worth finding: a problem, a signal, money, an action of ours, or cited evidence."""

    x: float
    kind: str
    event_id: UUID
    title: str
    number: int | None


@dataclass(frozen=True, slots=True)
class Step:
    """The curve as a table row. ``moved``: score → the feature whose addition changed most since the row above;
    ``terms``: score → what moves it most here; all in log-odds."""

    since_start: float
    event: str
    scores: Scores
    moved: Mapping[str, Term]
    terms: Mapping[str, Sequence[Term]]


@dataclass(frozen=True, slots=True)
class Curve:
    """Everything the drawing and its table need. ``grid``: (y, text)."""

    lines: tuple[Line, ...]
    bands: tuple[Band, ...]
    marks: tuple[Mark, ...]
    grid: tuple[tuple[float, str], ...]
    steps: tuple[Step, ...]
    right: float
    bottom: float


def sampled(count: int) -> list[int]:
    """Positions of events to score: all of them, or evenly spread ones with the first and the last."""
    if count <= MOST_POINTS:
        return list(range(count))
    return sorted({round(i * (count - 1) / (MOST_POINTS - 1)) for i in range(MOST_POINTS)})


def draw(
    events: Sequence[TimelineEvent],
    scores: Mapping[int, Scores],
    citations: Mapping[UUID, int],
    terms: Mapping[int, Terms],
) -> Curve | None:
    """The curve of a session's ``events``; ``scores`` and ``terms`` hold those at some positions. None when there are
    none."""
    positions = sorted(scores)
    if not positions:
        return None
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    step = (right - LEFT) / max(1, len(events) - 1)

    def x(position: int) -> float:
        return round(LEFT + position * step, 1)

    def y(value: float) -> float:
        return round(bottom - min(1.0, max(0.0, value)) * (bottom - TOP), 1)

    lines = []
    for name, text in LINES:
        points = [(x(p), y(getattr(scores[p], name))) for p in positions]
        if len(points) == 1:
            points.append((float(right), points[0][1]))
        path = "M" + " L".join(f"{px} {py}" for px, py in points)
        lines.append(Line(name, text, path, points[-1][1], points[-1][1], getattr(scores[positions[-1]], name)))
    return Curve(
        lines=_apart(lines, TOP, bottom),
        bands=_bands(events, x, right),
        marks=_marks(events, citations, x),
        grid=tuple((y(value), percent(value)) for value in (0.0, 0.25, 0.5, 0.75, 1.0)),
        steps=_steps(events, scores, terms, positions),
        right=right,
        bottom=bottom,
    )


def _apart(lines: list[Line], top: float, bottom: float) -> tuple[Line, ...]:
    """Moves labels until they do not overlap: from the top down, then back up from the bottom."""
    order = sorted(range(len(lines)), key=lambda i: lines[i].end_y)
    at = [lines[i].end_y for i in order]
    for i in range(1, len(at)):
        at[i] = max(at[i], at[i - 1] + _LABEL_GAP)
    limit = bottom
    for i in reversed(range(len(at))):
        at[i] = max(top, min(at[i], limit))
        limit = at[i] - _LABEL_GAP
    moved = dict(zip(order, at, strict=True))
    return tuple(
        Line(line.name, line.label, line.path, line.end_y, round(moved[i], 1), line.last)
        for i, line in enumerate(lines)
    )


def _bands(events: Sequence[TimelineEvent], x: _X, right: float) -> tuple[Band, ...]:
    starts = [i for i, event in enumerate(events) if event.type == "page_viewed" or i == 0]
    bands = []
    for number, start in enumerate(starts):
        end = x(starts[number + 1]) if number + 1 < len(starts) else right
        width = round(end - x(start), 1)
        room = int(width / 6.4)
        path = events[start].path
        bands.append(Band(x(start), width, _fitted(path, room), number % 2 == 1))
    return tuple(bands)


def _fitted(path: str, room: int) -> str:
    if room < 4:
        return ""
    return path if len(path) <= room else path[: room - 1] + "…"


def _marks(events: Sequence[TimelineEvent], citations: Mapping[UUID, int], x: _X) -> tuple[Mark, ...]:
    marks = []
    began = events[0].at
    for position, event in enumerate(events):
        number = citations.get(event.id)
        words = words_of(event)
        kind = "cited" if number is not None else words.mark
        if kind:
            said = f"{words.label} at {offset((event.at - began).total_seconds())}"
            marks.append(Mark(x(position), kind, event.id, f"{said}, cited [{number}]" if number else said, number))
    if len(marks) <= MOST_MARKS:
        return tuple(marks)
    worth = sorted(range(len(marks)), key=lambda i: (_WORTH.index(marks[i].kind), i))[:MOST_MARKS]
    return tuple(marks[i] for i in sorted(worth))


def _steps(
    events: Sequence[TimelineEvent],
    scores: Mapping[int, Scores],
    terms: Mapping[int, Terms],
    positions: list[int],
) -> tuple[Step, ...]:
    began = events[0].at
    kept = positions if len(positions) <= 100 else positions[:: -(-len(positions) // 100)]
    steps: list[Step] = []
    before: Terms = {}
    for p in kept:
        its = terms.get(p, {})
        moved = {name: move for name, now in its.items() if (move := _largest_move(before.get(name, ()), now))}
        leading = {name: tuple(now[:MOST_TERMS]) for name, now in its.items()}
        since_start = (events[p].at - began).total_seconds()
        steps.append(Step(since_start, words_of(events[p]).label, scores[p], moved if steps else {}, leading))
        before = its
    return tuple(steps)


def _largest_move(before: Sequence[Term], now: Sequence[Term]) -> Term | None:
    """The feature that adds most more, or most less, than it did; None where hardly anything moved."""
    was = dict(before)
    moves = {name: adds - was.get(name, 0.0) for name, adds in now}
    moves |= {name: -adds for name, adds in before if name not in moves}
    if not moves:
        return None
    name = max(moves, key=lambda one: abs(moves[one]))
    return (name, moves[name]) if abs(moves[name]) >= _LEAST_MOVE else None
