"""Fits a sum of small tables to rows and outcomes, one after the other, each to what those before left over. Pure.

Gradient boosting for the logistic loss with Newton steps (Friedman, Annals of Statistics 2001). Each learner cuts a few
columns at the same places for all rows, as an oblivious tree does (Kohavi, ECML 1994), which makes it a table: a sum of
them is looked up, stored and explained cell by cell. ``insights.intents.fit`` decides whether a score gets tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from insights.intents.additive import Table

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

BINS: Final = 32
"""Places where a column may be cut, and one."""
CUTS: Final = 6
"""Of one table, over all of its columns: at most 2**6 groups of rows."""
COLUMNS: Final = 4
"""Of one table: who reads it must still be able to say what it is about."""
RATE: Final = 0.08
"""How much of what is left a table takes up: small steps forget single rows."""
RIDGE: Final = 20.0
"""Evidence (in p(1-p) a row) that says "nothing" in each cell: thin cells stay near 0."""
DRAWN: Final = 0.5
"""Share of the columns that each table may choose from: or the strongest would hide the others."""
LEAST_GAIN: Final = 1e-6
"""Of a cut: less is rounding."""
MOST_ROWS: Final = 20_000
"""Rows that each table is fitted to, drawn anew, so that a large shop waits minutes and not hours."""


@dataclass(frozen=True, slots=True)
class _Bins:
    """``codes`` (k, n): the bin of each of the k columns that vary, numbered through all columns.

    By column: ``names``, which column of the rows it is; ``edges``, where it may be cut; ``starts``, its first bin;
    ``common``, the bin that most rows are in. ``column``: by bin, its column's place among the k.
    """

    names: tuple[int, ...]
    edges: tuple[Floats, ...]
    codes: Whole
    starts: Whole
    common: Whole
    column: Whole


def boosted(rows: Floats, outcomes: Floats, weights: Floats, count: int) -> tuple[float, tuple[Table, ...]]:
    """(bias, at most ``count`` tables): log-odds of ``outcomes`` (n,) of 0 and 1 by ``rows`` (n, d), ``weights`` (n,).

    The same rows give the same tables.
    """
    bins = _binned(rows)
    mean = float(np.average(outcomes, weights=weights))
    bias = float(np.log(mean / (1 - mean)))
    if not bins.names:
        return bias, ()
    rng = np.random.default_rng(0)
    log_odds = np.full(len(rows), bias)
    found = []
    for _ in range(count):
        p = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -30, 30)))
        own = np.arange(len(rows)) if len(rows) <= MOST_ROWS else rng.choice(len(rows), MOST_ROWS, replace=False)
        # What was drawn stands for all rows: else evidence would shrink against the ridge as a shop grows.
        scale = len(rows) / len(own)
        left = scale * (weights * (outcomes - p))[own]
        spread = scale * (weights * p * (1 - p))[own]
        drawn = np.sort(rng.choice(len(bins.names), max(1, round(DRAWN * len(bins.names))), replace=False))
        cuts = _cuts(bins, drawn, own, left, spread)
        if not cuts:
            continue
        cell, cells = _cell_of(bins, cuts)
        there = cell[own]
        values = RATE * _sums(there, left, cells) / (_sums(there, spread, cells) + RIDGE)
        log_odds += values[cell]
        found.append(_table(bins, cuts, values))
    return bias, tuple(found)


def cuts_of(values: Floats, cells: int) -> Floats:
    """Where a column is cut into at most ``cells`` parts: between its values when they are few, else at quantiles."""
    distinct = np.unique(values)
    if len(distinct) <= cells:
        return np.asarray((distinct[1:] + distinct[:-1]) / 2)
    found = np.unique(np.quantile(values, np.linspace(0, 1, cells + 1)[1:-1]))
    if found[0] <= distinct[0]:
        # Many share the least value: the first cut is right after it.
        found = np.unique(np.concatenate([[(distinct[0] + distinct[1]) / 2], found[1:]]))
    return found


def _binned(rows: Floats) -> _Bins:
    found = [(c, e) for c in range(rows.shape[1]) if len(e := cuts_of(rows[:, c], BINS))]
    sizes = np.array([len(edges) + 1 for _, edges in found], dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    codes = [np.searchsorted(e, rows[:, c], side="right") + start for (c, e), start in zip(found, starts, strict=True)]
    return _Bins(
        names=tuple(c for c, _ in found),
        edges=tuple(edges for _, edges in found),
        codes=np.array(codes, dtype=np.int64).reshape(len(found), len(rows)),
        starts=starts,
        common=np.array([np.argmax(np.bincount(code)) for code in codes], dtype=np.int64),
        column=np.repeat(np.arange(len(found)), sizes),
    )


def _cuts(bins: _Bins, drawn: Whole, own: Whole, left: Floats, spread: Floats) -> dict[int, list[int]]:
    """Column (its place among those that vary) → the bins right after which it is cut, found one by one.

    Each time it is the cut of a ``drawn`` column that, made through all groups of rows so far, takes up the most of
    what is ``left`` of the rows ``own``.
    """
    codes = bins.codes[np.ix_(drawn, own)]
    # Most rows are in a column's common bin: its sums are what the others leave of the whole, and cost nothing.
    rare = np.flatnonzero(codes != bins.common[drawn, None])
    row, code = rare % len(own), codes.ravel()[rare]
    lefts, spreads = left[row], spread[row]
    open_to = np.isin(bins.column, drawn)
    group: Whole = np.zeros(len(own), dtype=np.int64)
    found: dict[int, list[int]] = {}
    for number in range(CUTS):
        groups = 1 << number
        place = code + group[row] * len(bins.column)
        gains = _gains(
            bins,
            (_sums(group, left, groups), _sums(group, spread, groups)),
            (_sums(place, lefts, groups * len(bins.column)), _sums(place, spreads, groups * len(bins.column))),
        )
        best = int(np.argmax(np.where(open_to, gains, 0.0)))
        if gains[best] <= LEAST_GAIN:
            break
        column = int(bins.column[best])
        found.setdefault(column, []).append(best)
        if len(found) == COLUMNS:
            open_to = np.isin(bins.column, list(found))
        group = 2 * group + (bins.codes[column, own] > best)
    return {column: sorted(theirs) for column, theirs in sorted(found.items())}


def _sums(place: Whole, values: Floats, size: int) -> Floats:
    return np.asarray(np.bincount(place, values, size), dtype=np.float64)


def _gains(bins: _Bins, whole: tuple[Floats, Floats], rare: tuple[Floats, Floats]) -> Floats:
    """What a cut right after each bin gains; right after a column's last bin nothing.

    Both are pairs of what is left and its spread: ``whole`` by group, ``rare`` by group and bin, without common bins.
    """
    below = []
    for by_group, sums in zip(whole, rare, strict=True):
        by_bin = sums.reshape(len(by_group), len(bins.column))
        by_bin[:, bins.common] = by_group[:, None] - np.add.reduceat(by_bin, bins.starts, axis=1)
        run = np.cumsum(by_bin, axis=1)
        first = bins.starts[bins.column]
        below.append(run - (run[:, first] - by_bin[:, first]))
    left, spread = (by_group[:, None] for by_group in whole)
    gains = _worth(below[0], below[1]) + _worth(left - below[0], spread - below[1]) - _worth(left, spread)
    return np.asarray(gains.sum(axis=0))


def _worth(left: Floats, spread: Floats) -> Floats:
    """How much better one step of Newton's makes a cell, twice."""
    return np.asarray(left**2 / (spread + RIDGE))


def _cell_of(bins: _Bins, cuts: dict[int, list[int]]) -> tuple[Whole, int]:
    """The cell (n,) of every row, and how many cells there are."""
    cell: Whole = np.zeros(bins.codes.shape[1], dtype=np.int64)
    cells = 1
    for column, after in cuts.items():
        cell = cell * (len(after) + 1) + np.searchsorted(after, bins.codes[column])
        cells *= len(after) + 1
    return cell, cells


def _table(bins: _Bins, cuts: dict[int, list[int]], values: Floats) -> Table:
    edges = [tuple(float(bins.edges[c][bin_ - bins.starts[c]]) for bin_ in after) for c, after in cuts.items()]
    return Table(tuple(bins.names[c] for c in cuts), tuple(edges), tuple(float(value) for value in values))
