"""What an answer tells a developer of its visitor: where they stand, what was decided and why."""

from __future__ import annotations

from typing import Any

from insights.decisions.decide import Choice
from insights.intents.model import PRIOR, IntentModel
from insights.intents.score import score
from insights.intents.stage import stage_of
from insights.profiles.profile import Profile

_COUNTED = (
    "pages",
    "products_seen",
    "clicks",
    "cart_items",
    "cart_minor",
    "checkout",
    "hesitations",
    "price_hovers",
    "rage_clicks",
    "dead_clicks",
    "failures",
    "js_errors",
    "exits",
    "quick_backs",
    "coupons_refused",
    "reviews",
    "engaged_ms",
)
"""The parts of a profile that a developer can check against what they just did."""


def explained(profile: Profile, choice: Choice | None, now_ms: int, model: IntentModel = PRIOR) -> dict[str, Any]:
    """Stage, intent, the profile's counts that are not zero, and of a decision its action, policy, why and exclusions.

    ``now_ms``: the server's clock, epoch milliseconds. ``choice`` None: there was nothing to decide.
    """
    intent = choice.intent if choice else score(profile, now_ms, model)
    stage = choice.stage if choice else stage_of(profile, intent)
    told: dict[str, Any] = {
        "stage": stage.value,
        "intent": intent.as_dict(),
        "profile": {name: value for name in _COUNTED if (value := getattr(profile, name))},
    }
    if choice is not None:
        told |= {
            "decision": choice.action.value,
            "policy": choice.policy,
            "why": choice.why,
            "chances": choice.probabilities,
            "excluded": choice.excluded,
        }
    return told
