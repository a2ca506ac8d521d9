"""Decides how often each reason occurred among many sessions, the newer ones counting more, and how sure that is.

A session's weight halves with every half-life of its age. The shares are weighted; their intervals are Wilson's (1927)
at the effective number of sessions, (sum of weights)² / sum of squared weights (Kish, "Survey Sampling", 1965).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from typing import Final
from uuid import UUID

from insights.vocabulary.reasons import Kind, Reason, reasons_of

Z: Final = 1.959964
"""Of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Told:
    """A closed session and the reason of its current insight."""

    session_id: UUID
    reason: Reason
    closed_at: datetime
    exit_path: str | None = None
    landing_path: str | None = None
    utm_source: str | None = None
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """One reason: its weighted share with a 95 % interval, all 0..1, and its sessions, newest first."""

    reason: Reason
    share: float
    low: float
    high: float
    session_ids: tuple[UUID, ...]

    @property
    def n(self) -> int:
        """Its sessions, each counted once."""
        return len(self.session_ids)


@dataclass(frozen=True, slots=True)
class Mix:
    """The reasons that occurred, largest share first.

    ``effective``: as many equally weighted sessions would be as sure. ``leads``: the first reason is ahead of the
    second by more than chance explains, at 95 %.
    """

    n: int
    effective: float
    shares: tuple[Share, ...]
    leads: bool


def reason_mix(told: Sequence[Told], kind: Kind, now: datetime, half_life: timedelta) -> Mix:
    """The mix of the sessions whose reason is one of ``kind``'s. ``half_life`` is positive."""
    possible = reasons_of(kind)
    counted = sorted((one for one in told if one.reason in possible), key=lambda one: one.closed_at, reverse=True)
    if not counted:
        return Mix(0, 0.0, (), False)
    # Relative to the newest, so that sessions long past do not all weigh nothing.
    newest = min(now, counted[0].closed_at)
    weights = [0.5 ** max(0.0, (newest - one.closed_at) / half_life) for one in counted]
    total = sum(weights)
    effective = total**2 / sum(weight**2 for weight in weights)
    sums: dict[Reason, float] = {}
    ids: dict[Reason, list[UUID]] = {}
    for one, weight in zip(counted, weights, strict=True):
        sums[one.reason] = sums.get(one.reason, 0.0) + weight
        ids.setdefault(one.reason, []).append(one.session_id)
    shares = []
    for reason in sorted(sums, key=lambda reason: (-sums[reason], reason)):
        share = min(1.0, sums[reason] / total)
        low, high = wilson(share, effective)
        shares.append(Share(reason, share, low, high, tuple(ids[reason])))
    return Mix(len(counted), effective, tuple(shares), _leads(shares, effective))


def by_cell(
    told: Sequence[Told], cell: Callable[[Told], str | None], kind: Kind, now: datetime, half_life: timedelta
) -> list[tuple[str | None, Mix]]:
    """The mix of each cell (None: not known), most sessions first; cells without a session of ``kind`` are left out."""
    cells: dict[str | None, list[Told]] = {}
    for one in told:
        cells.setdefault(cell(one), []).append(one)
    mixes = [(name, reason_mix(its, kind, now, half_life)) for name, its in cells.items()]
    return sorted((one for one in mixes if one[1].n), key=lambda one: (-one[1].n, one[0] or ""))


def wilson(share: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of ``n`` > 0."""
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def _leads(shares: Sequence[Share], effective: float) -> bool:
    # Among the sessions that had one of the two, is the first's share surely above a half?
    first, second = shares[0].share, shares[1].share if len(shares) > 1 else 0.0
    both = first + second
    return wilson(first / both, both * effective)[0] > 0.5
