"""Shares over time as geometry: one row a reason on one scale, each a band (its interval) around a line, with marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from insights.patterns.history import Bucket
from insights.reports.mix import wilson
from insights.vocabulary.reasons import Reason
from insights.vocabulary.shares import percent

WIDTH: Final = 960
LEFT, RIGHT, TOP, BOTTOM = 178, 96, 12, 28
ROW: Final = 62
GAP: Final = 10


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line: when something changed."""

    x: float
    title: str


@dataclass(frozen=True, slots=True)
class Row:
    """One reason. ``dots`` are (x, y, title) of each stretch of time with sessions; ``text`` its share over all."""

    reason: str
    y: float
    band: str
    line: str
    dots: tuple[tuple[float, float, str], ...]
    marks: tuple[Mark, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All rows, the time axis as (x, text), and the top of the scale as a share."""

    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, str], ...]
    top: float
    height: int
    marks: tuple[Mark, ...]
    left: int = LEFT
    right: int = WIDTH - RIGHT
    width: int = WIDTH


@dataclass(frozen=True, slots=True)
class Happened:
    """Something to mark: on one reason's row, or on all (None)."""

    at: datetime
    reason: Reason | None
    title: str


def draw(
    buckets: Sequence[Bucket],
    since: datetime,
    step: timedelta,
    reasons: Sequence[Reason],
    happened: Sequence[Happened] = (),
    *,
    totals: bool = True,
) -> Chart | None:
    """The chart of ``reasons`` in this order; None without a session. ``totals``: rows end with their share of all."""
    total = sum(bucket.sessions for bucket in buckets)
    if not total or not reasons:
        return None
    length = len(buckets) * step
    span = WIDTH - LEFT - RIGHT

    def x_at(at: datetime) -> float:
        return round(LEFT + min(1.0, max(0.0, (at - since) / length)) * span, 1)

    middles = [since + (number + 0.5) * step for number in range(len(buckets))]
    highest = max(
        bucket.reasons.get(reason, 0) / bucket.sessions
        for bucket in buckets
        for reason in reasons
        if bucket.sessions >= min(20, total / len(buckets))
    )
    top = next(one for one in (0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0) if one >= min(1.0, highest * 1.1))
    rows = []
    for place, reason in enumerate(reasons):
        base = TOP + (place + 1) * (ROW + GAP) - GAP

        def y_at(share: float, base: float = base) -> float:
            return round(base - min(1.0, share / top) * ROW, 1)

        dots, upper, lower = [], [], []
        for at, bucket in zip(middles, buckets, strict=True):
            if not bucket.sessions:
                continue
            hits = bucket.reasons.get(reason, 0)
            share = hits / bucket.sessions
            low, high = wilson(share, bucket.sessions)
            x = x_at(at)
            upper.append(f"{x} {y_at(high)}")
            lower.append(f"{x} {y_at(low)}")
            said = f"{_when(at - step / 2, step)}: {percent(share)} ({percent(low)} to {percent(high)}), "
            dots.append((x, y_at(share), said + f"{hits} of {bucket.sessions}"))
        hits = sum(bucket.reasons.get(reason, 0) for bucket in buckets)
        rows.append(
            Row(
                reason.value,
                base,
                "M" + " L".join([*upper, *reversed(lower)]) + "Z" if len(dots) > 1 else "",
                "M" + " L".join(f"{x} {y}" for x, y, _ in dots) if len(dots) > 1 else "",
                tuple(dots),
                tuple(Mark(x_at(one.at), one.title) for one in happened if one.reason is reason),
                percent(hits / total) if totals else "",
            )
        )
    everywhere = tuple(Mark(x_at(one.at), one.title) for one in happened if one.reason is None)
    some = max(1, len(buckets) // 7)
    starts = [since + number * step for number in range(0, len(buckets), some)]
    return Chart(
        tuple(rows),
        tuple((x_at(at + step / 2), f"{at:%-d %b}") for at in starts),
        top,
        TOP + len(reasons) * (ROW + GAP) + BOTTOM,
        everywhere,
    )


def _when(at: datetime, step: timedelta) -> str:
    return f"{at:%-d %b}" if step >= timedelta(days=1) else f"{at:%-d %b %H:%M}"
