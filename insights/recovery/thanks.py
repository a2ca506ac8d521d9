"""The other half of the starter library: what may be done about each reason of a visit that ended in an order.

Each puts a tag on the customer that says what convinced them, so that segments, conditions and the shop's own tools
can speak to people like them in the same way. Nothing is sent: they have just bought.
"""

from __future__ import annotations

from typing import Final

from flows.definition import FlowDefinition, FlowSettings, InsightTrigger, Send
from insights.vocabulary.actions import RecoveryAction
from insights.vocabulary.reasons import Kind, Reason

TAGS: Final = {
    Reason.VALUE_FIT: ("buys_for_value", "The price was right: tag them, so that they hear of good value first."),
    Reason.URGENCY: ("acts_on_urgency", "A deadline or low stock decided: tag them, so that they hear of it in time."),
    Reason.SOCIAL_PROOF: ("reads_reviews", "What others wrote decided: tag them, and show them reviews."),
    Reason.CLEAR_CTA: ("quick_buyer", "They knew what they wanted: tag them, and keep their way short."),
    Reason.RETURNING_INTENT: ("comes_back", "They came back to buy: tag them as regulars."),
    Reason.RECOMMENDATION_MATCH: (
        "follows_recommendations",
        "A recommendation decided: tag them, and recommend more to them.",
    ),
}
"""Reason → the tag, and what the flow does in a sentence."""


def thanks_flows() -> list[FlowDefinition]:
    """One flow for each reason of an order."""
    return [
        FlowDefinition(
            name=reason.value,
            description=says,
            trigger=InsightTrigger(kind=Kind.CONVERTED.value, reasons=[reason.value], min_confidence=0.5),
            start="tag",
            steps={"tag": Send(action=RecoveryAction.TAG_CUSTOMER.value, params={"tag": tag})},
            # The order is what started it.
            settings=FlowSettings(exit_on_conversion=False),
        )
        for reason, (tag, says) in TAGS.items()
    ]
