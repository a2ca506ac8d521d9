"""Scores a profile: four numbers that say where the visit is heading, and the terms that they are sums of."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import Final

from insights.intents import prior
from insights.intents.features import FEATURES, features
from insights.intents.intent import Intent
from insights.profiles.profile import Profile

__all__ = ["Intent", "Term", "explain", "score"]

SCORES: Final = ("propensity", "bounce_risk", "price_sensitivity")

_INDEX: Final = {name: index for index, name in enumerate(FEATURES)}
_TERMS: Final = tuple(
    tuple((_INDEX[name], weight) for name, weight in prior.WEIGHTS[name_of_score].items()) for name_of_score in SCORES
)
_BIAS: Final = tuple(prior.BIAS[name] for name in SCORES)


@dataclass(frozen=True, slots=True)
class Term:
    """One summand of a score's log-odds: ``value`` of the feature times ``weight``. The first of a score is "bias"."""

    feature: str
    value: float
    weight: float

    @property
    def adds(self) -> float:
        """What it adds to the log-odds."""
        return self.value * self.weight


def score(profile: Profile, now_ms: int) -> Intent:
    """Where this visit is heading, by the prior. ``now_ms`` is the server's clock, epoch milliseconds."""
    row = features(profile, now_ms)
    propensity, bounce_risk, price_sensitivity = [
        _share(bias + sum([row[index] * weight for index, weight in terms]))
        for bias, terms in zip(_BIAS, _TERMS, strict=True)
    ]
    if profile.bought:
        # It happened: nothing is left to guess.
        propensity = 1.0
    return Intent(propensity, bounce_risk, price_sensitivity, affinity_of(profile), prior.MODEL)


def explain(profile: Profile, now_ms: int) -> dict[str, tuple[Term, ...]]:
    """Score → its terms, the bias first, then by size, without those that add nothing. Their sum is its log-odds.

    An order settles ``propensity`` whatever its terms say.
    """
    row = features(profile, now_ms)
    explained = {}
    for name, bias, terms in zip(SCORES, _BIAS, _TERMS, strict=True):
        named = [Term(FEATURES[index], row[index], weight) for index, weight in terms if row[index]]
        named.sort(key=lambda term: -abs(term.adds))
        explained[name] = (Term("bias", 1.0, bias), *named)
    return explained


def affinity_of(profile: Profile) -> dict[str, float]:
    """Category → share of the visitor's interest, the largest first; sums to 1, empty without any."""
    total = sum(profile.affinity.values())
    if total <= 0:
        return {}
    ordered = sorted(profile.affinity.items(), key=lambda item: (-item[1], item[0]))
    return {name: weight / total for name, weight in ordered}


def _share(log_odds: float) -> float:
    # Features and weights are bounded, so that exp cannot overflow.
    return 1.0 / (1.0 + exp(-log_odds))
