"""Intervals as geometry: a band over the days around its estimate, and one row each for groups, for inline SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from insights.lift.comparison import Interval

WIDTH, HEIGHT = 960, 280
LEFT, RIGHT, TOP, BOTTOM = 92, 20, 14, 34
ROW_WIDTH = 220
_TICKS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Chart:
    """The band and the line as paths, marks at the last day, the zero line, and the axes as (position, text)."""

    band: str
    line: str
    zero_y: float
    end_x: float
    end_y: float
    end_low_y: float
    end_high_y: float
    rows: tuple[tuple[float, str], ...]
    days: tuple[tuple[float, str], ...]
    left: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Row:
    """One group's interval on the scale that all groups share."""

    zero_x: float
    low_x: float
    high_x: float
    x: float
    side: str


def draw(points: Sequence[tuple[datetime, Interval]], say: Callable[[float], str]) -> Chart | None:
    """The chart of what stood there each day; None without a day. ``say`` writes a difference for the axis.

    The scale follows the later half of the days: the first intervals are so wide that nothing else would be seen.
    """
    if not points:
        return None
    bounds = [_bounds(interval) for _, interval in points]
    later = bounds[len(bounds) // 2 :]
    low, high = min(0.0, *(low for low, _ in later)), max(0.0, *(high for _, high in later))
    room = (high - low) * 0.15 or 1.0
    low, high = low - room, high + room
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    began, ended = points[0][0], points[-1][0]
    length = (ended - began).total_seconds() or 1.0

    def x(at: datetime) -> float:
        return (
            round(LEFT + (at - began).total_seconds() / length * (right - LEFT), 1) if ended > began else right - 40.0
        )

    def y(value: float) -> float:
        inside = min(high, max(low, value))
        return round(bottom - (inside - low) / (high - low) * (bottom - TOP), 1)

    upper = [f"{x(at)} {y(bound[1])}" for (at, _), bound in zip(points, bounds, strict=True)]
    lower = [f"{x(at)} {y(bound[0])}" for (at, _), bound in zip(points, bounds, strict=True)]
    line = [f"{x(at)} {y(interval.value)}" for at, interval in points]
    return Chart(
        band="M" + " L".join([*upper, *reversed(lower)]) + "Z" if len(points) > 1 else "",
        line="M" + " L".join(line) if len(points) > 1 else "",
        zero_y=y(0.0),
        end_x=x(ended),
        end_y=y(points[-1][1].value),
        end_low_y=y(bounds[-1][0]),
        end_high_y=y(bounds[-1][1]),
        rows=tuple((y(value), say(value)) for value in _ticks(low, high)),
        days=tuple((x(at), f"{at:%-d %b}") for at in _some([at for at, _ in points], 6)),
        left=LEFT,
        right=right,
        bottom=bottom,
    )


def rows(intervals: Sequence[Interval | None]) -> list[Row | None]:
    """The rows of groups on one scale; None where there is no interval."""
    known = [interval for interval in intervals if interval is not None]
    if not known:
        return [None] * len(intervals)
    edge = max(max(abs(bound) for bound in _bounds(interval)) for interval in known) or 1.0

    def x(value: float) -> float:
        return round(ROW_WIDTH / 2 + value / edge * (ROW_WIDTH / 2 - 6), 1)

    made: list[Row | None] = []
    for interval in intervals:
        if interval is None:
            made.append(None)
            continue
        low, high = _bounds(interval)
        side = "above" if interval.above_zero else "below" if interval.below_zero else "open"
        made.append(Row(x(0.0), x(low), x(high), x(interval.value), side))
    return made


def _bounds(interval: Interval) -> tuple[float, float]:
    low = interval.value if interval.low is None else interval.low
    high = interval.value if interval.high is None else interval.high
    return low, high


def _ticks(low: float, high: float) -> list[float]:
    """Round values between the two, about five of them, zero among them."""
    rough = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * tick for tick in _TICKS if size * tick >= rough)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _some(days: Sequence[datetime], most: int) -> list[datetime]:
    if len(days) <= most:
        return list(days)
    last = len(days) - 1
    return [days[round(number * last / (most - 1))] for number in range(most)]
