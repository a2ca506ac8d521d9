"""Which one thing to do about a reason that many sessions share: a closed registry, one entry a reason."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from insights.vocabulary.reasons import Reason


class AggregateAction(StrEnum):
    """What a shop does for all its visitors, not for one of them."""

    COMPARE_VALUE = "compare_value"
    SMOOTH_THE_PAGE = "smooth_the_page"
    SHOW_TRUST = "show_trust"
    SHOW_COMPARISON = "show_comparison"
    SAVE_CARTS = "save_carts"
    FIX_ERROR = "fix_error"
    WATCH = "watch"
    AMPLIFY_VALUE = "amplify_value"
    AMPLIFY_URGENCY = "amplify_urgency"
    AMPLIFY_SOCIAL_PROOF = "amplify_social_proof"
    AMPLIFY_CALL_TO_ACTION = "amplify_call_to_action"
    AMPLIFY_RETURN_VISITS = "amplify_return_visits"
    AMPLIFY_RECOMMENDATIONS = "amplify_recommendations"


ADVICE: Final[dict[Reason, tuple[AggregateAction, str]]] = {
    Reason.PRICE_HESITATION: (AggregateAction.COMPARE_VALUE, "Say beside the price what it includes and saves."),
    Reason.UX_FRICTION: (
        AggregateAction.SMOOTH_THE_PAGE,
        "Watch where the clicks and fields fail, and simplify there.",
    ),
    Reason.TRUST_CONCERN: (AggregateAction.SHOW_TRUST, "Show returns, security and delivery where they hesitate."),
    Reason.COMPARISON_SHOPPING: (AggregateAction.SHOW_COMPARISON, "Offer the comparison on your own page."),
    Reason.DISTRACTION: (AggregateAction.SAVE_CARTS, "Keep carts, and let people come back to them."),
    Reason.TECHNICAL_ERROR: (AggregateAction.FIX_ERROR, "Open one ticket for the error that these sessions share."),
    Reason.UNCLEAR: (AggregateAction.WATCH, "Change nothing yet: these sessions show no reason."),
    Reason.VALUE_FIT: (AggregateAction.AMPLIFY_VALUE, "Say earlier, and in more places, what they get."),
    Reason.URGENCY: (AggregateAction.AMPLIFY_URGENCY, "Show true deadlines and stock where they decide."),
    Reason.SOCIAL_PROOF: (AggregateAction.AMPLIFY_SOCIAL_PROOF, "Bring reviews closer to the decision."),
    Reason.CLEAR_CTA: (AggregateAction.AMPLIFY_CALL_TO_ACTION, "Use the same call to action on other pages."),
    Reason.RETURNING_INTENT: (
        AggregateAction.AMPLIFY_RETURN_VISITS,
        "Make coming back easier: saved carts, reminders.",
    ),
    Reason.RECOMMENDATION_MATCH: (AggregateAction.AMPLIFY_RECOMMENDATIONS, "Show recommendations on more pages."),
}
