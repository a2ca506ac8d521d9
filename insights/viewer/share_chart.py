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
    """One reason. ``dots`` are (x, y, title, beyond) of each stretch of time with sessions, ``beyond`` where its share
    is above the scale; ``text`` its share over all."""

    reason: str
    y: float
    band: str
    line: str
    dots: tuple[tuple[float, float, str, bool], ...]
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

    @property
    def beyond(self) -> bool:
        """Whether something lies above the scale: a stretch of a few sessions."""
        return any(beyond for row in self.rows for *_, beyond in row.dots)


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
    scale = _Scale(since, len(buckets) * step, _top(buckets, reasons, total))
    rows = []
    for place, reason in enumerate(reasons):
        base = TOP + (place + 1) * (ROW + GAP) - GAP
        dots, band = _dots(buckets, reason, scale, base, step)
        hits = sum(bucket.reasons.get(reason, 0) for bucket in buckets)
        rows.append(
            Row(
                reason.value,
                base,
                band,
                "M" + " L".join(f"{x} {y}" for x, y, *_ in dots) if len(dots) > 1 else "",
                dots,
                tuple(Mark(scale.x_at(one.at), one.title) for one in happened if one.reason is reason),
                percent(hits / total) if totals else "",
            )
        )
    some = max(1, len(buckets) // 7)
    starts = [since + number * step for number in range(0, len(buckets), some)]
    return Chart(
        tuple(rows),
        tuple((scale.x_at(at + step / 2), f"{at:%-d %b}") for at in starts),
        scale.top,
        TOP + len(reasons) * (ROW + GAP) + BOTTOM,
        tuple(Mark(scale.x_at(one.at), one.title) for one in happened if one.reason is None),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a time and a share lie. ``top``: the share, 0..1, at the upper end of each row."""

    since: datetime
    length: timedelta
    top: float

    def x_at(self, at: datetime) -> float:
        span = WIDTH - LEFT - RIGHT
        return round(LEFT + min(1.0, max(0.0, (at - self.since) / self.length)) * span, 1)

    def y_at(self, share: float, base: float) -> float:
        return round(base - min(1.0, share / self.top) * ROW, 1)


def _top(buckets: Sequence[Bucket], reasons: Sequence[Reason], total: int) -> float:
    """A round share above all that are drawn, but those of a few sessions."""
    highest = max(
        bucket.reasons.get(reason, 0) / bucket.sessions
        for bucket in buckets
        for reason in reasons
        if bucket.sessions >= min(20, total / len(buckets))
    )
    return next(one for one in (0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0) if one >= min(1.0, highest * 1.1))


def _dots(
    buckets: Sequence[Bucket], reason: Reason, scale: _Scale, base: float, step: timedelta
) -> tuple[tuple[tuple[float, float, str, bool], ...], str]:
    """A reason's share in each bucket that has sessions, with what it says, and the band of its intervals."""
    dots, upper, lower = [], [], []
    for number, bucket in enumerate(buckets):
        if not bucket.sessions:
            continue
        begins = scale.since + number * step
        hits = bucket.reasons.get(reason, 0)
        share = hits / bucket.sessions
        low, high = wilson(share, bucket.sessions)
        x = scale.x_at(begins + step / 2)
        upper.append(f"{x} {scale.y_at(high, base)}")
        lower.append(f"{x} {scale.y_at(low, base)}")
        said = f"{_when(begins, step)}: {percent(share)} ({percent(low)} to {percent(high)}), "
        dots.append((x, scale.y_at(share, base), said + f"{hits} of {bucket.sessions}", share > scale.top))
    band = "M" + " L".join([*upper, *reversed(lower)]) + "Z" if len(dots) > 1 else ""
    return tuple(dots), band


def _when(at: datetime, step: timedelta) -> str:
    return f"{at:%-d %b}" if step >= timedelta(days=1) else f"{at:%-d %b %H:%M}"
