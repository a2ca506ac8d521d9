"""What to do about a reason: suggestions out of the closed registry of recovery actions."""

from __future__ import annotations

from insights.classification.verdict import Suggestion
from insights.vocabulary.actions import RecoveryAction as Action
from insights.vocabulary.reasons import Reason

_SUGGESTIONS: dict[Reason, tuple[Suggestion, ...]] = {
    Reason.PRICE_HESITATION: (Suggestion(Action.SEND_EMAIL, {"message": "discount_24h"}),),
    Reason.UX_FRICTION: (Suggestion(Action.SEND_EMAIL, {"message": "saved_cart_help"}),),
    Reason.TRUST_CONCERN: (Suggestion(Action.SEND_EMAIL, {"message": "trust_answers"}),),
    Reason.COMPARISON_SHOPPING: (Suggestion(Action.SEND_EMAIL, {"message": "value_comparison"}),),
    Reason.DISTRACTION: (Suggestion(Action.SEND_EMAIL, {"message": "cart_reminder"}),),
    Reason.TECHNICAL_ERROR: (
        Suggestion(Action.CREATE_TICKET),
        Suggestion(Action.SEND_EMAIL, {"message": "it_is_fixed", "after": "ticket_fixed"}),
    ),
    Reason.RETURNING_INTENT: (Suggestion(Action.TAG_CUSTOMER, {"tag": "returning"}),),
    Reason.SOCIAL_PROOF: (Suggestion(Action.ADD_TO_SEGMENT, {"segment": "reads_reviews"}),),
}


def suggestions_for(reason: Reason) -> tuple[Suggestion, ...]:
    """At least one action; do_nothing where nothing fits."""
    return _SUGGESTIONS.get(reason, (Suggestion(Action.DO_NOTHING),))
