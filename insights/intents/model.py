"""An intent model: one additive model a score over the features, made ready for the live path."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from insights.intents import prior
from insights.intents.additive import Additive, Curve, ModelInvalid
from insights.intents.features import FEATURES, MOST
from insights.intents.lookup import Lookup

SCORES: Final = ("propensity", "bounce_risk", "price_sensitivity")


@dataclass(frozen=True, slots=True)
class Term:
    """One summand of a score's log-odds: ``value`` of the feature times ``weight``. The first of a score is "bias".

    Where a curve bends or a table steps, ``weight`` is the mean slope up to the value. What several features add
    together is shared out among them (``Lookup.parts``).
    """

    feature: str
    value: float
    weight: float

    @property
    def adds(self) -> float:
        """What it adds to the log-odds."""
        return self.value * self.weight


class IntentModel:
    """Scores rows of ``FEATURES``. Immutable. ``name`` is what is logged with every score; ``learned`` names the scores
    that were fitted to a shop's sessions, the others are the prior's."""

    def __init__(self, name: str, parts: Mapping[str, Additive], learned: Sequence[str] = ()) -> None:
        if set(parts) != set(SCORES):
            raise ModelInvalid(f"it must score {', '.join(SCORES)}")
        self.name = name
        self.learned = tuple(learned)
        self.parts = {score: parts[score].from_zero() for score in SCORES}
        self._bias = tuple(self.parts[score].bias for score in SCORES)
        # Of each feature: where its segments begin, and for each segment (add, slope) of each score.
        curves: dict[int, list[tuple[int, Curve]]] = {}
        for number, score in enumerate(SCORES):
            for curve in self.parts[score].curves:
                curves.setdefault(curve.column, []).append((number, curve))
        self._curves = tuple(_segments(curves.get(column, ())) for column in range(len(FEATURES)))
        tables = [self.parts[score].tables for score in SCORES]
        self._tables = Lookup(tables) if any(tables) else None

    def log_odds(self, row: Sequence[float]) -> tuple[float, float, float]:
        """Of propensity, bounce risk and price sensitivity."""
        first, second, third = self._bias
        for x, curve in zip(row, self._curves, strict=True):
            if x:
                starts, segments = curve
                s = segments[bisect_right(starts, x)] if starts else segments[0]
                first += s[0] + s[1] * x
                second += s[2] + s[3] * x
                third += s[4] + s[5] * x
        if self._tables is not None:
            sums = [first, second, third]
            self._tables.add_to(sums, row)
            return sums[0], sums[1], sums[2]
        return first, second, third

    def explain(self, row: Sequence[float]) -> dict[str, tuple[Term, ...]]:
        """Score → its terms that add something, the bias first, then by size. Their sum is its log-odds."""
        explained = {}
        shares = [{}, {}, {}] if self._tables is None else self._tables.parts(row)
        for score, adds in zip(SCORES, shares, strict=True):
            part = self.parts[score]
            for curve in part.curves:
                if x := row[curve.column]:
                    adds[curve.column] = adds.get(curve.column, 0.0) + curve.at(x)
            found = [
                Term(FEATURES[column], row[column], value / row[column]) for column, value in adds.items() if value
            ]
            explained[score] = (Term("bias", 1.0, part.bias), *sorted(found, key=lambda term: -abs(term.adds)))
        return explained

    def as_dict(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "learned": list(self.learned),
            "scores": {score: self.parts[score].as_dict(FEATURES) for score in SCORES},
        }

    @classmethod
    def of(cls, name: str, stored: Any) -> IntentModel:
        """Reads ``as_dict``. Raises ModelInvalid, also when it was made of features that there are no more."""
        try:
            parts = {score: Additive.of(stored["scores"][score], FEATURES) for score in SCORES}
            learned = [str(score) for score in stored["learned"]]
        except (KeyError, TypeError) as error:
            raise ModelInvalid(f"unreadable: {type(error).__name__} {error}") from None
        return cls(name, parts, learned)


def _segments(theirs: Sequence[tuple[int, Curve]]) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
    """(where segments begin but the first, (add, slope) of each score in each), over all curves of one feature."""
    starts = sorted({knot for _, curve in theirs for knot in curve.knots if 0.0 < knot < MOST})
    segments = []
    for low, high in zip([0.0, *starts], [*starts, MOST], strict=True):
        segment = [0.0] * (2 * len(SCORES))
        for number, curve in theirs:
            # Straight between neighbouring knots; read inside, where a curve that jumps is on one side of its jump.
            at_low, at_high = curve.at(low), curve.at(high)
            slope = (at_high - at_low) / (high - low)
            segment[2 * number] += at_low - slope * low
            segment[2 * number + 1] += slope
        segments.append(tuple(segment))
    return tuple(starts), tuple(segments)


def _of_prior(score: str) -> Additive:
    index = {name: number for number, name in enumerate(FEATURES)}
    curves = tuple(
        Curve(index[name], (0.0, MOST), (0.0, weight * MOST)) for name, weight in prior.WEIGHTS[score].items()
    )
    return Additive(prior.BIAS[score], curves)


PRIOR: Final = IntentModel(prior.MODEL, {score: _of_prior(score) for score in SCORES})
"""What is scored by until sessions of the shop were learned from."""
