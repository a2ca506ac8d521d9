"""An additive model: log-odds as a sum of curves of one column and small tables of a few columns.

Curves are straight between their knots and level outside them: whatever comes in, what comes out is bounded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, isfinite, prod
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
class Table:
    """What a few columns add together: one of ``values`` for each cell between the ``edges`` (rising, of each column).

    Cells in the order of their columns' parts, the last column's running fastest.
    """

    columns: tuple[int, ...]
    edges: tuple[tuple[float, ...], ...]
    values: tuple[float, ...]

    @property
    def steps(self) -> tuple[int, ...]:
        """How far the next part of each column is in ``values``."""
        found = [1]
        for edges in self.edges[:0:-1]:
            found.insert(0, found[0] * (len(edges) + 1))
        return tuple(found)

    def at(self, xs: Sequence[float]) -> float:
        """What these values of its columns add to the log-odds."""
        cell = 0
        for edges, x in zip(self.edges, xs, strict=True):
            cell = cell * (len(edges) + 1) + bisect_right(edges, x)
        return self.values[cell]

    def mapped(self, slope: float, shift: float) -> Table:
        """The table with ``slope`` × its values + ``shift``."""
        return Table(self.columns, self.edges, tuple(v * slope + shift for v in self.values))


@dataclass(frozen=True, slots=True)
class Additive:
    """log-odds = ``bias`` + Σ curves + Σ tables."""

    bias: float
    curves: tuple[Curve, ...]
    tables: tuple[Table, ...] = ()

    def log_odds(self, row: Sequence[float]) -> float:
        """Of one row of numbers."""
        total = self.bias + sum([curve.at(row[curve.column]) for curve in self.curves])
        return total + sum([table.at([row[c] for c in table.columns]) for table in self.tables])

    def mapped(self, slope: float, shift: float) -> Additive:
        """The model whose log-odds are ``slope`` × these + ``shift``: still a sum of the same terms."""
        return Additive(
            self.bias * slope + shift,
            tuple(Curve(c.column, c.knots, tuple(v * slope for v in c.values)) for c in self.curves),
            tuple(table.mapped(slope, 0.0) for table in self.tables),
        )

    def from_zero(self) -> Additive:
        """The same model written so that every curve and every table adds nothing at 0."""
        offsets = [curve.at(0.0) for curve in self.curves]
        curves = tuple(
            Curve(c.column, c.knots, tuple(v - offset for v in c.values))
            for c, offset in zip(self.curves, offsets, strict=True)
        )
        at_zeros = [table.at([0.0] * len(table.columns)) for table in self.tables]
        tables = tuple(table.mapped(1.0, -value) for table, value in zip(self.tables, at_zeros, strict=True))
        return Additive(self.bias + sum(offsets) + sum(at_zeros), curves, tables)

    def as_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """As it is stored: columns by name, so that a later version with other columns still finds its own."""
        return {
            "bias": self.bias,
            "curves": [{"of": names[c.column], "knots": list(c.knots), "values": list(c.values)} for c in self.curves],
            "tables": [
                {"of": [names[c] for c in t.columns], "edges": [list(e) for e in t.edges], "values": list(t.values)}
                for t in self.tables
            ],
        }

    @classmethod
    def of(cls, stored: Any, names: Sequence[str]) -> Additive:
        """Reads ``as_dict``. Raises ModelInvalid for what is none, or speaks of columns that there are not."""
        place = {name: index for index, name in enumerate(names)}
        try:
            curves = tuple(Curve(place[c["of"]], _numbers(c["knots"]), _numbers(c["values"])) for c in stored["curves"])
            tables = tuple(
                Table(tuple(place[name] for name in t["of"]), tuple(map(_numbers, t["edges"])), _numbers(t["values"]))
                for t in stored["tables"]
            )
            (bias,) = _numbers([stored["bias"]])
        except (KeyError, TypeError) as error:
            raise ModelInvalid(f"unreadable: {type(error).__name__} {error}") from None
        for curve in curves:
            if len(curve.knots) < 2 or len(curve.knots) != len(curve.values) or not _rising(curve.knots):
                raise ModelInvalid(f"the curve of {names[curve.column]} has no rising knots with a value each")
        for table in tables:
            whole = len(table.columns) == len(table.edges) and len(table.values) == prod(
                len(e) + 1 for e in table.edges
            )
            if not table.columns or not whole or not all(map(_rising, table.edges)):
                of = " and ".join(names[c] for c in table.columns)
                raise ModelInvalid(f"the table of {of} has no rising edges with a value for each cell")
        return cls(bias, curves, tables)


def share(log_odds: float) -> float:
    """The share from 0 to 1 that log-odds mean."""
    if not -MOST_LOG_ODDS < log_odds < MOST_LOG_ODDS:
        log_odds = max(-MOST_LOG_ODDS, min(MOST_LOG_ODDS, log_odds))
    return 1.0 / (1.0 + exp(-log_odds))


def _rising(knots: Sequence[float]) -> bool:
    return all(a < b for a, b in pairwise(knots))


def _numbers(values: Any) -> tuple[float, ...]:
    found = tuple(float(value) for value in values)
    if not all(isfinite(value) for value in found):
        raise ModelInvalid("a number in it is not finite")
    return found
