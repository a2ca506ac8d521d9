"""The starter set: what a new project does about each reason of an abandoned session until somebody changes it.

| reason | what happens | why |
|---|---|---|
| price_hesitation | after 1 h a mail with a single-use code, 24 h | a discount answers a price, and nothing else |
| technical_error | a ticket at once; a mail once it is fixed | a code for a broken shop would be an insult |
| trust_concern | after 3 h a mail with answers | they want to know who we are, not to pay less |
| ux_friction | after 1 h a mail with the cart and a way on | they wanted to buy |
| comparison_shopping | after 20 h a mail with what they looked at | not in the middle of comparing |
| distraction | after 4 h a reminder, only with a filled cart | without a cart there is nothing to be reminded of |
| unclear | nothing, said so | a guess that is wrong does harm |

technical_error is two flows: a visitor who waits for the news of one error must still report the next one, and an error
is an error though its visitor bought in the end.

Every mail ends with a purchase, goes out once in a run, and not at all when it is too late to make sense.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from flows.definition import (
    Branch,
    EventTrigger,
    Exit,
    FlowDefinition,
    FlowSettings,
    InsightTrigger,
    Send,
    Signal,
    Wait,
)
from insights.conditions.fields import condition
from insights.conditions.places import Place
from insights.vocabulary.actions import RecoveryAction
from insights.vocabulary.reasons import Kind, Reason

DISCOUNT_PERCENT: Final = 10
DISCOUNT_HOURS: Final = 24
SHORTEST_WAIT: Final = timedelta(milliseconds=100)
MAIL_LATENESS: Final = timedelta(hours=12)
FIX_DEADLINE: Final = timedelta(days=14)
QUIET_DAYS: Final = 7

# They promise nothing: what a shop really offers is for the shop to write here.
ANSWERS: Final = [
    {
        "question": "Can I send it back?",
        "answer": "Our returns page says how, until when, and who pays for the parcel.",
    },
    {
        "question": "What will it cost in the end?",
        "answer": "The checkout shows every cost and every way to pay before you confirm an order.",
    },
    {
        "question": "When will it be here?",
        "answer": "The checkout shows how we deliver to your address, and how long that takes.",
    },
]


def starter_flows(*, wait_scale: float = 1.0) -> list[FlowDefinition]:
    """The flows of the table above.

    ``wait_scale`` (above 0, at most 1) shortens the pauses before mails, for demonstrations; how long a code is valid
    and how long the news of a fix is waited for stay as they are. Raises ValueError.
    """
    if not 0 < wait_scale <= 1:
        raise ValueError("wait_scale must be above 0 and at most 1.")

    def pause(hours: float) -> timedelta:
        return max(timedelta(hours=hours) * wait_scale, SHORTEST_WAIT)

    return [
        _mail_flow(
            Reason.PRICE_HESITATION,
            "One hour later: a code for this order.",
            pause(1),
            {"message": "discount_24h", "discount_percent": DISCOUNT_PERCENT, "discount_hours": DISCOUNT_HOURS},
            # A discount costs money: not for a guess.
            min_confidence=0.5,
        ),
        _ticket_flow(),
        _fixed_flow(),
        _mail_flow(
            Reason.TRUST_CONCERN,
            "Three hours later: answers about returns, payment and delivery.",
            pause(3),
            {"message": "trust_answers", "answers": ANSWERS},
        ),
        _mail_flow(
            Reason.UX_FRICTION,
            "One hour later: what was chosen, and a way to go on.",
            pause(1),
            {"message": "saved_cart_help"},
        ),
        _mail_flow(
            Reason.COMPARISON_SHOPPING,
            "The next day: what was looked at, together.",
            pause(20),
            {"message": "value_comparison"},
        ),
        _mail_flow(
            Reason.DISTRACTION,
            "Four hours later: a reminder of a filled cart.",
            pause(4),
            {"message": "cart_reminder"},
            only_with_cart=True,
        ),
        _nothing_flow(),
    ]


def quiet_after_purchase() -> FlowDefinition:
    """Where a mail service is connected: nothing is to be planned there for who has just bought."""
    return FlowDefinition(
        name="bought",
        description="At once: quiet in the connected mail service too.",
        trigger=EventTrigger(event="purchased"),
        start="quiet",
        steps={
            "quiet": Send(action=RecoveryAction.SUPPRESS_MESSAGES.value, params={"mode": "quiet", "days": QUIET_DAYS})
        },
        settings=FlowSettings(exit_on_conversion=False, reentry=timedelta(0)),
    )


def _trigger(reason: Reason, **narrower: Any) -> InsightTrigger:
    return InsightTrigger(kind=Kind.ABANDONED.value, reasons=[reason.value], **narrower)


def _mail_flow(
    reason: Reason,
    description: str,
    pause: timedelta,
    params: dict[str, Any],
    *,
    min_confidence: float = 0.0,
    only_with_cart: bool = False,
) -> FlowDefinition:
    steps: dict[str, Any] = {
        "pause": Wait.model_validate({"for": pause, "next": "mail"}),
        "mail": Send(action=RecoveryAction.SEND_EMAIL.value, params=params, max_lateness=MAIL_LATENESS),
    }
    if only_with_cart:
        steps["cart"] = Branch(when=condition("cart.items >= 1", Place.FLOW), then="pause", otherwise="empty")
        steps["empty"] = Exit(reason="nothing_in_cart")
    return FlowDefinition(
        name=reason.value,
        description=description,
        trigger=_trigger(reason, min_confidence=min_confidence),
        start="cart" if only_with_cart else "pause",
        steps=steps,
    )


def _ticket_flow() -> FlowDefinition:
    return FlowDefinition(
        name=Reason.TECHNICAL_ERROR.value,
        description="At once: a ticket, one per error and day.",
        trigger=_trigger(Reason.TECHNICAL_ERROR),
        start="ticket",
        steps={
            "ticket": Send(
                action=RecoveryAction.CREATE_TICKET.value, params={"priority": "high"}, max_lateness=timedelta(days=3)
            )
        },
        settings=FlowSettings(exit_on_conversion=False, reentry=timedelta(0)),
    )


def _fixed_flow() -> FlowDefinition:
    return FlowDefinition(
        name=f"{Reason.TECHNICAL_ERROR.value}_fixed",
        description="Once the error is fixed, within two weeks: the news.",
        trigger=_trigger(Reason.TECHNICAL_ERROR, when=condition("error.fingerprint is known", Place.FLOW)),
        start="fixed",
        steps={
            "fixed": Wait.model_validate(
                {
                    "for": FIX_DEADLINE,
                    "until": Signal(name="ticket_fixed", key="error.fingerprint"),
                    "next": "mail",
                    "otherwise": "forget",
                }
            ),
            "mail": Send(
                action=RecoveryAction.SEND_EMAIL.value,
                params={"message": "it_is_fixed"},
                max_lateness=timedelta(days=1),
            ),
            "forget": Exit(reason="not_fixed_in_time"),
        },
    )


def _nothing_flow() -> FlowDefinition:
    return FlowDefinition(
        name=Reason.UNCLEAR.value,
        description="Nothing: nobody knows why they left.",
        trigger=_trigger(Reason.UNCLEAR),
        start="nothing",
        steps={"nothing": Exit(reason=RecoveryAction.DO_NOTHING.value)},
    )
