"""Which of the changes seen are patterns of their own: the same visits show in many cells, and are told once.

The likeliest change comes first. Another cell's counts only if it still stands without the visits of the cells before
it; in one cell the fall of one reason is only the other side of another's rise.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from insights.patterns.cells import Cell, Dimension
from insights.patterns.counts import REASONS, Field
from insights.reports.changes import Change, Counts, Rules, look
from insights.vocabulary.reasons import Reason

BY_ITSELF: Final = 0.01
"""A change that is less likely than this without other cells' visits is one of its own."""

Without = Callable[[Cell, Sequence[Cell]], Awaitable[Counts]]
"""The counts of a cell without the visits of others."""


@dataclass(slots=True)
class Found:
    """A change that is a pattern. ``also``: cells in which the same visits show."""

    cell: Cell
    reason: Reason
    change: Change
    also: list[Cell] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Standing:
    """A pattern that was found before and is not over."""

    cell: Cell
    reason: Reason
    rises: bool


async def own_changes(
    changes: Sequence[Change], known: Field, standing: Sequence[Standing], without: Without, rules: Rules
) -> list[Found]:
    """The patterns among ``changes`` that are not the visits of another one, or of one standing."""
    found: list[Found] = []
    likeliest: dict[int, float] = {}
    for change in changes:
        likeliest[change.cell] = min(change.p_value, likeliest.get(change.cell, 1.0))
    # In a cell what rises is told: where one reason is named more, the others are named less.
    for change in sorted(changes, key=lambda one: (likeliest[one.cell], one.cell, not one.rises, one.p_value)):
        cell, reason = known.cells[change.cell], REASONS[change.reason]
        told: list[tuple[Cell, Reason, bool, Found | None]] = [
            *((one.cell, one.reason, one.rises, None) for one in standing),
            *((one.cell, one.reason, one.change.rises, one) for one in found),
        ]
        # What happened in a cell of the same kind and version: other visits explain nothing here.
        near = [one for one in told if (one[0].kind, one[0].version) == (cell.kind, cell.version)]
        same_cell = [one for one in near if one[0] == cell]
        if any(its == reason or rises != change.rises for _, its, rises, _ in same_cell):
            continue
        others = [one for one in near if one[0] != cell]
        if others and not await _stands_alone(cell, change, [one[0] for one in others], without, rules):
            for _, its, _, pattern in others:
                if pattern is not None and its == reason:
                    pattern.also.append(cell)
                    break
            continue
        found.append(Found(cell, reason, change))
    return found


async def _stands_alone(cell: Cell, change: Change, others: Sequence[Cell], without: Without, rules: Rules) -> bool:
    if any(other.dimension is Dimension.ALL for other in others):
        return False
    counts = await without(cell, others)
    seen = look(Counts(counts.sessions, counts.named), rules)
    share, before = float(seen.now[0, change.reason]), float(seen.before[0, change.reason])
    p_value = float(seen.p_values[0, change.reason])
    return p_value < BY_ITSELF and abs(share - before) >= rules.least_change and (share > before) == change.rises


def quieten(known: Field, cell: Cell, hours: slice) -> None:
    """Leaves hours out of a cell's past: a pattern that is over is no part of what is usual."""
    at = known.index(cell)
    if at is not None:
        known.counts.sessions[at, hours] = 0
        known.counts.named[at, :, hours] = 0


def shares_of(counts: Counts, cell: int, hours: int) -> tuple[np.ndarray, float]:
    """The named shares of the last ``hours`` in a cell, and of how many sessions."""
    sessions = float(counts.sessions[cell, -hours:].sum())
    return counts.named[cell, :, -hours:].sum(axis=1) / max(sessions, 1.0), sessions
