"""An additive model: log-odds as a sum of one curve a column and a few tables of two columns.

Curves are straight between their knots and level outside them: whatever comes in, what comes out is bounded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, isfinite
from typing import Any, Final

MOST_LOG_ODDS: Final = 30.0


class ModelInvalid(ValueError):
    """This is no model that can be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What a column adds: ``values[i]`` at ``knots[i]`` (rising), straight between, level outside."""

    column: int
    knots: tuple[float, ...]
    values: tuple[float, ...]

    def at(self, x: float) -> float:
        """What ``x`` adds to the log-odds."""
        knots, values = self.knots, self.values
        if x <= knots[0]:
            return values[0]
        if x >= knots[-1]:
            return values[-1]
        i = bisect_right(knots, x)
        share = (x - knots[i - 1]) / (knots[i] - knots[i - 1])
        return values[i - 1] + share * (values[i] - values[i - 1])


@dataclass(frozen=True, slots=True)
class Pair:
    """What two columns add together: ``cells[i][j]`` between edges i-1 and i of the first, j-1 and j of the second."""

    columns: tuple[int, int]
    edges: tuple[tuple[float, ...], tuple[float, ...]]
    cells: tuple[tuple[float, ...], ...]

    def at(self, x: float, y: float) -> float:
        """What ``x`` and ``y`` add to the log-odds."""
        return self.cells[bisect_right(self.edges[0], x)][bisect_right(self.edges[1], y)]


@dataclass(frozen=True, slots=True)
class Additive:
    """log-odds = ``bias`` + Σ curves + Σ pairs."""

    bias: float
    curves: tuple[Curve, ...]
    pairs: tuple[Pair, ...] = ()

    def log_odds(self, row: Sequence[float]) -> float:
        """Of one row of numbers."""
        total = self.bias + sum([curve.at(row[curve.column]) for curve in self.curves])
        return total + sum([pair.at(row[pair.columns[0]], row[pair.columns[1]]) for pair in self.pairs])

    def mapped(self, slope: float, shift: float) -> Additive:
        """The model whose log-odds are ``slope`` × these + ``shift``: still a sum of the same terms."""
        return Additive(
            self.bias * slope + shift,
            tuple(Curve(c.column, c.knots, tuple(v * slope for v in c.values)) for c in self.curves),
            tuple(
                Pair(p.columns, p.edges, tuple(tuple(v * slope for v in row) for row in p.cells)) for p in self.pairs
            ),
        )

    def from_zero(self) -> Additive:
        """The same model written so that every curve adds nothing at 0."""
        offsets = [curve.at(0.0) for curve in self.curves]
        curves = tuple(
            Curve(c.column, c.knots, tuple(v - offset for v in c.values))
            for c, offset in zip(self.curves, offsets, strict=True)
        )
        return Additive(self.bias + sum(offsets), curves, self.pairs)

    def as_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """As it is stored: columns by name, so that a later version with other columns still finds its own."""
        return {
            "bias": self.bias,
            "curves": [{"of": names[c.column], "knots": list(c.knots), "values": list(c.values)} for c in self.curves],
            "pairs": [
                {
                    "of": [names[c] for c in p.columns],
                    "edges": [list(e) for e in p.edges],
                    "cells": [list(row) for row in p.cells],
                }
                for p in self.pairs
            ],
        }

    @classmethod
    def of(cls, stored: Any, names: Sequence[str]) -> Additive:
        """Reads ``as_dict``. Raises ModelInvalid for what is none, or speaks of columns that there are not."""
        place = {name: index for index, name in enumerate(names)}
        try:
            curves = tuple(Curve(place[c["of"]], _numbers(c["knots"]), _numbers(c["values"])) for c in stored["curves"])
            pairs = tuple(
                Pair(
                    (place[p["of"][0]], place[p["of"][1]]),
                    (_numbers(p["edges"][0]), _numbers(p["edges"][1])),
                    tuple(_numbers(row) for row in p["cells"]),
                )
                for p in stored["pairs"]
            )
            (bias,) = _numbers([stored["bias"]])
        except (KeyError, TypeError, IndexError) as error:
            raise ModelInvalid(f"unreadable: {type(error).__name__} {error}") from None
        for curve in curves:
            if len(curve.knots) < 2 or len(curve.knots) != len(curve.values) or not _rising(curve.knots):
                raise ModelInvalid(f"the curve of {names[curve.column]} has no rising knots with a value each")
        for pair in pairs:
            shape = (len(pair.edges[0]) + 1, len(pair.edges[1]) + 1)
            if len(pair.cells) != shape[0] or any(len(row) != shape[1] for row in pair.cells):
                raise ModelInvalid(f"the table of {names[pair.columns[0]]} and {names[pair.columns[1]]} has gaps")
        return cls(bias, curves, pairs)


def share(log_odds: float) -> float:
    """The share from 0 to 1 that log-odds mean."""
    return 1.0 / (1.0 + exp(-max(-MOST_LOG_ODDS, min(MOST_LOG_ODDS, log_odds))))


def _rising(knots: Sequence[float]) -> bool:
    return all(a < b for a, b in pairwise(knots))


def _numbers(values: Any) -> tuple[float, ...]:
    found = tuple(float(value) for value in values)
    if not all(isfinite(value) for value in found):
        raise ModelInvalid("a number in it is not finite")
    return found
