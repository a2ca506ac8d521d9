"""Looks up all tables of several scores for one row at once, however many they are.

A table's cell is where it stands for zeros, moved by each column that is elsewhere: the moves of all tables are one
row of a matrix for each part of a column, so a score costs a sum over the columns that are not at zero.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

import numpy as np

from insights.intents.additive import Table

_FLOATS: Final = np.float64


class Lookup:
    """Of tables by score. Immutable. What tables add at zeros is not looked at when a row is all zeros: 0 is expected
    there, see ``Additive.from_zero``."""

    def __init__(self, scores: Sequence[Sequence[Table]]) -> None:
        every = [table for tables in scores for table in tables]
        cuts: dict[int, set[float]] = {}
        for table in every:
            for column, edges in zip(table.columns, table.edges, strict=True):
                cuts.setdefault(column, set()).update(edges)
        ends = np.cumsum([len(table.values) for table in every], dtype=np.intp)
        self._values = np.array([value for table in every for value in table.values], dtype=_FLOATS)
        # Of each table: where its cell for zeros stands among all values.
        self._zeros = np.array([end - len(table.values) for end, table in zip(ends, every, strict=True)], dtype=np.intp)
        self._columns: list[tuple[int, tuple[float, ...], int]] = []
        moves: list[np.ndarray[tuple[int], np.dtype[np.intp]]] = []
        for column, theirs in sorted(cuts.items()):
            rising = tuple(sorted(theirs))
            self._columns.append((column, rising, len(moves)))
            # One point inside each part between two cuts stands for all of it.
            moves += [np.zeros(len(every), dtype=np.intp) for _ in range(len(rising) + 1)]
        starts = {column: (rising, at) for column, rising, at in self._columns}
        for number, table in enumerate(every):
            for column, edges, step in zip(table.columns, table.edges, table.steps, strict=True):
                rising, at = starts[column]
                zero = bisect_right(edges, 0.0)
                self._zeros[number] += step * zero
                for part in range(len(rising) + 1):
                    inside = rising[part - 1] if part else -np.inf
                    moves[at + part][number] = step * (bisect_right(edges, inside) - zero)
        self._moves = np.array(moves, dtype=np.intp).reshape(len(moves), len(every))
        self._scores = [number for number, tables in enumerate(scores) if tables]
        firsts = np.cumsum([0, *(len(tables) for tables in scores)])
        self._firsts = np.array([firsts[number] for number in self._scores], dtype=np.intp)

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
