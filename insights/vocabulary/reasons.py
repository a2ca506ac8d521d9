"""The fixed taxonomy: why a session ended without an order, or with one."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """How a session ended. It comes from the purchase event, never from a model."""

    ABANDONED = "abandoned"
    CONVERTED = "converted"


class Reason(StrEnum):
    """One reason a session; the first seven explain an abandonment, the other six a conversion."""

    PRICE_HESITATION = "price_hesitation"
    UX_FRICTION = "ux_friction"
    TRUST_CONCERN = "trust_concern"
    COMPARISON_SHOPPING = "comparison_shopping"
    DISTRACTION = "distraction"
    TECHNICAL_ERROR = "technical_error"
    UNCLEAR = "unclear"

    VALUE_FIT = "value_fit"
    URGENCY = "urgency"
    SOCIAL_PROOF = "social_proof"
    CLEAR_CTA = "clear_cta"
    RETURNING_INTENT = "returning_intent"
    RECOMMENDATION_MATCH = "recommendation_match"


ABANDONED_REASONS: tuple[Reason, ...] = tuple(Reason)[:7]
CONVERTED_REASONS: tuple[Reason, ...] = tuple(Reason)[7:]


def reasons_of(kind: Kind) -> tuple[Reason, ...]:
    """The reasons that may explain a session of this kind."""
    return ABANDONED_REASONS if kind is Kind.ABANDONED else CONVERTED_REASONS
