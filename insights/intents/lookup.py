"""Looks up all tables of several scores for one row at once, however many they are, and shares out what they add.

A table's cell is where it stands for zeros, moved by each column that is elsewhere: the moves of all tables are one
row of a matrix for each part of a column, so a score costs a sum over the columns that are not at zero.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise, product
from math import comb

import numpy as np
from numpy.typing import NDArray

from insights.intents.additive import Table

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


class Lookup:
    """Of tables by score, each of which adds nothing at zeros (``Additive.from_zero``). Immutable."""

    def __init__(self, scores: Sequence[Sequence[Table]]) -> None:
        every = [table for tables in scores for table in tables]
        cuts: dict[int, set[float]] = {}
        for table in every:
            for column, edges in zip(table.columns, table.edges, strict=True):
                cuts.setdefault(column, set()).update(edges)
        self._columns: list[tuple[int, tuple[float, ...], int]] = []
        parts = 0
        for column, theirs in sorted(cuts.items()):
            # From ``parts`` on: the rows of the matrix for this column's parts, one more than cuts.
            self._columns.append((column, tuple(sorted(theirs)), parts))
            parts += len(theirs) + 1
        # The last row moves nothing: for places that a table with few columns leaves empty.
        self._moves: Places = np.zeros((parts + 1, len(every)), dtype=np.intp)
        ends = np.cumsum([len(table.values) for table in every], dtype=np.intp)
        self._values: Floats = np.array([value for table in every for value in table.values])
        # Of each table: where its cell for zeros is among all values.
        self._zeros: Places = ends - np.array([len(table.values) for table in every], dtype=np.intp)
        self._widest = max((len(table.columns) for table in every), default=1)
        self._empty = max(cuts, default=-1) + 1
        self._slots: Places = np.full((len(every), self._widest), self._empty, dtype=np.intp)
        rows = {column: (rising, at) for column, rising, at in self._columns}
        for number, table in enumerate(every):
            self._slots[number, : len(table.columns)] = table.columns
            for column, edges, step in zip(table.columns, table.edges, table.steps, strict=True):
                rising, at = rows[column]
                zero = bisect_right(edges, 0.0)
                self._zeros[number] += step * zero
                for part, least in enumerate((-np.inf, *rising)):
                    self._moves[at + part, number] = step * (bisect_right(edges, least) - zero)
        firsts = np.cumsum([0, *(len(tables) for tables in scores)])
        self._spans = [(int(first), int(last)) for first, last in pairwise(firsts)]
        self._scores = [number for number, (first, last) in enumerate(self._spans) if last > first]
        self._firsts: Places = np.array([self._spans[number][0] for number in self._scores], dtype=np.intp)

    def add_to(self, sums: list[float], row: Sequence[float]) -> None:
        """Adds to each score's sum what its tables add for ``row``."""
        moved = [at + bisect_right(cuts, x) for column, cuts, at in self._columns if (x := row[column])]
        if not moved:
            return
        cells = self._moves.take(moved, axis=0).sum(axis=0)
        cells += self._zeros
        found = np.add.reduceat(self._values.take(cells), self._firsts).tolist()
        for number, value in zip(self._scores, found, strict=True):
            sums[number] += value

    def parts(self, row: Sequence[float]) -> list[dict[int, float]]:
        """Of each score: column → how much of what its tables add is the column's, a column at 0 nothing.

        What a table's columns add together is shared out by the mean over all orders in which they may leave 0
        (Shapley, 1953).
        """
        now: Places = np.full(self._empty + 1, len(self._moves) - 1, dtype=np.intp)
        for column, cuts, at in self._columns:
            now[column] = at + bisect_right(cuts, row[column])
        moves = self._moves[now[self._slots], np.arange(len(self._slots))[:, None]]
        subsets, weights = _shapley(self._widest)
        shares = self._values[self._zeros[:, None] + moves @ subsets.T] @ weights
        found = []
        for first, last in self._spans:
            sums = np.bincount(self._slots[first:last].ravel(), shares[first:last].ravel(), self._empty + 1)
            found.append({column: float(sums[column]) for column, _, _ in self._columns if row[column]})
        return found


def _shapley(players: int) -> tuple[Places, Floats]:
    """(2**players, players) each: who is in a subset, and the weight of the subset's worth in each player's share."""
    subsets: Places = np.array(list(product((0, 1), repeat=players)), dtype=np.intp)
    weights = np.zeros(subsets.shape)
    for number, inside in enumerate(subsets):
        size = int(inside.sum())
        for player in range(players):
            others = size - int(inside[player])
            weights[number, player] = (1 if inside[player] else -1) / (players * comb(players - 1, others))
    return subsets, weights
