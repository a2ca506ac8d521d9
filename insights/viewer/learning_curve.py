"""The learning curve as geometry: what decisions earned bucket by bucket, and how much of them was learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from insights.learning.overview import Point
from insights.learning.rewards import Unit
from insights.vocabulary.shares import percent

WIDTH, HEIGHT = 720, 200
LEFT, RIGHT, TOP, BOTTOM = 84, 12, 12, 24


@dataclass(frozen=True, slots=True)
class Bar:
    """One bucket: where it stands, how high it is, and how much of it was learned (the filled part)."""

    x: float
    y: float
    width: float
    height: float
    learned_y: float
    learned_height: float
    title: str


@dataclass(frozen=True, slots=True)
class Curve:
    """Bars and the labels of the axis (y, text)."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]
    first: str
    last: str


def curve_of(points: Sequence[Point], unit: Unit) -> Curve | None:
    """The curve of the last points; None with fewer than two: one bar says nothing of a way."""
    shown = list(points)[-60:]
    if len(shown) < 2:
        return None
    most = max(max(point.mean for point in shown), 0.0) or 1.0
    inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    step = inner_width / len(shown)
    bars = []
    for index, point in enumerate(shown):
        height = inner_height * max(point.mean, 0.0) / most
        learned = height * point.learned_share
        base = HEIGHT - BOTTOM
        bars.append(
            Bar(
                x=round(LEFT + index * step + step * 0.1, 1),
                y=round(base - height, 1),
                width=round(step * 0.8, 1),
                height=round(height, 1),
                learned_y=round(base - learned, 1),
                learned_height=round(learned, 1),
                title=f"Bucket {point.bucket}: {unit.said(point.mean)} a decision over {point.decisions:,} decisions, "
                f"{percent(point.learned_share)} of them learned",
            )
        )
    ticks = tuple((round(HEIGHT - BOTTOM - inner_height * part, 1), unit.said(most * part)) for part in (0.0, 0.5, 1.0))
    return Curve(tuple(bars), ticks, f"{shown[0].since:%-d %b %Y}", f"{shown[-1].until:%-d %b %Y}")
