"""Scores a profile: four numbers that say where the visit is heading, and the terms that they are sums of."""

from __future__ import annotations

from insights.intents.additive import share
from insights.intents.features import features
from insights.intents.intent import Intent
from insights.intents.model import PRIOR, SCORES, IntentModel, Term
from insights.profiles.profile import Profile

__all__ = ["SCORES", "Intent", "Term", "explain", "score"]


def score(profile: Profile, now_ms: int, model: IntentModel = PRIOR) -> Intent:
    """Where this visit is heading, by ``model``. ``now_ms`` is the server's clock, epoch milliseconds."""
    propensity, bounce_risk, price_sensitivity = map(share, model.log_odds(features(profile, now_ms)))
    if profile.bought:
        # It happened: nothing is left to guess.
        propensity = 1.0
    return Intent(propensity, bounce_risk, price_sensitivity, affinity_of(profile), model.name)


def explain(profile: Profile, now_ms: int, model: IntentModel = PRIOR) -> dict[str, tuple[Term, ...]]:
    """Score → its terms, the bias first, then by size, without those that add nothing. Their sum is its log-odds.

    An order settles ``propensity`` whatever its terms say.
    """
    return model.explain(features(profile, now_ms))


def affinity_of(profile: Profile) -> dict[str, float]:
    """Category → share of the visitor's interest, the largest first; sums to 1, empty without any."""
    total = sum(profile.affinity.values())
    if total <= 0:
        return {}
    if len(profile.affinity) == 1:
        return dict.fromkeys(profile.affinity, 1.0)
    ordered = sorted(profile.affinity.items(), key=lambda item: (-item[1], item[0]))
    return {name: weight / total for name, weight in ordered}
