"""The catalogue: the live actions of a shop that set up none of its own, with their words and when they make sense.

The words promise nothing that a shop might not keep, and hurry nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from insights.decisions import requirements as when
from insights.decisions.content import ShopFacts, Template
from insights.decisions.moment import Moment
from insights.decisions.offer import Catalogue, Face, LiveOffer
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.stages import Stage


def email_input(consent_label: str) -> dict[str, str]:
    """A field for an address, beside a box that starts empty."""
    return {"kind": "email", "label": "Your e-mail address", "consent_label": consent_label}


def _face(
    template: Template,
    title: str,
    body: str,
    *,
    cta: tuple[str, str] | None = None,
    send: str = "",
    consent: str = "",
    thanks: str = "",
    dismiss: str = "No, thanks",
    fits: Callable[[Moment, ShopFacts], bool] | None = None,
) -> Face:
    content: dict[str, Any] = {
        "title": title,
        "body": body,
        "cta": {"label": send, "href": None} if send else {"label": cta[0], "href": cta[1]} if cta else None,
        "input": email_input(consent) if consent else None,
        "dismiss_label": dismiss,
    }
    if thanks:
        content["thanks"] = thanks
    return Face(template, content, fits) if fits else Face(template, content)


def _may_ask_for_address(moment: Moment, facts: ShopFacts) -> bool:
    return facts.believes_typed and not moment.profile.has_email and moment.profile.marketing is not False


def _threshold_known(moment: Moment, facts: ShopFacts) -> bool:
    return bool(facts.free_shipping_from_minor) and facts.currency == moment.profile.currency


def _threshold_reached(moment: Moment, facts: ShopFacts) -> bool:
    return _threshold_known(moment, facts) and moment.profile.cart_minor >= (facts.free_shipping_from_minor or 0)


_BEFORE_CHECKOUT: Final = frozenset({Stage.ANONYMOUS, Stage.BROWSER})
_WITH_CART: Final = frozenset({Stage.CART_ADDER, Stage.HIGH_INTENT})
_NOT_YET_CUSTOMER: Final = _BEFORE_CHECKOUT | _WITH_CART
_EVERYONE: Final = frozenset(Stage)

CHAT_INVITE: Final = LiveOffer(
    LiveAction.CHAT_INVITE,
    _EVERYONE,
    (when.TROUBLE,),
    (
        _face(
            "banner",
            "Something not working?",
            "That did not go as it should, sorry. You can write to us and tell us what happened.",
            cta=("Get help", "@contact"),
            dismiss="Close",
        ),
    ),
    priority=90,
    because=lambda m: f"Cart or checkout failed them {m.profile.cart_trouble} times.",
    helps=True,
    needs_link="@contact",
)

SHORT_FORM: Final = LiveOffer(
    LiveAction.SHORT_FORM,
    _NOT_YET_CUSTOMER,
    (when.TROUBLE_OR_FORM, when.NO_ADDRESS_YET, when.MAY_BE_ASKED),
    (
        _face(
            "popup",
            "Sorry, something went wrong",
            "That should not have happened. If you like, leave your e-mail address, so that we can write to you "
            "about it and you need not keep trying.",
            send="Write to me",
            consent="Yes, you may e-mail me about this visit",
            thanks="Thank you. We will look into it.",
            fits=lambda m, facts: m.trouble,
        ),
        _face(
            "popup",
            "Is the form in the way?",
            "You need not finish it now. Leave your e-mail address and we can send you the way back to your cart.",
            send="Send it to me",
            consent="Yes, you may e-mail me about my cart",
            thanks="Thank you. Take your time.",
        ),
    ),
    priority=80,
    because=lambda m: (
        f"Cart or checkout failed them {m.profile.cart_trouble} times, and there is no address to write to."
        if m.trouble
        else "They left or went over the checkout form again and again."
    ),
    helps=True,
)

CART_SAVE: Final = LiveOffer(
    LiveAction.CART_SAVE,
    _WITH_CART,
    (when.CART, when.LEAVING_OR_STALLED),
    (
        _face(
            "popup",
            "Shall we keep your cart for later?",
            "Leave your e-mail address and we can send you a link back to what you picked. No rush.",
            send="Keep my cart",
            consent="Yes, you may e-mail me about my cart",
            thanks="Thank you. You can carry on, or come back when it suits you.",
            fits=_may_ask_for_address,
        ),
        _face(
            "banner",
            "Your cart is still here",
            "Take your time. What you picked is in your cart when you are ready.",
            cta=("Go to the cart", "@cart"),
            dismiss="Close",
        ),
    ),
    priority=70,
    because=lambda m: (
        f"{_items(m)} in the cart and "
        + ("they are about to leave." if m.leaving else "they have stopped moving forward.")
    ),
)

TRUST_CARD: Final = LiveOffer(
    LiveAction.TRUST_CARD,
    _NOT_YET_CUSTOMER - {Stage.ANONYMOUS},
    (when.INTERESTED, when.WONDERING),
    (
        _face(
            "banner",
            "Wondering about delivery or returns?",
            "How delivery, returns and payment work here is written down for you to read before you decide.",
            cta=("Read it again", "@policy"),
            dismiss="Close",
        ),
    ),
    priority=60,
    because=lambda m: (
        "They read about returns, delivery or security, and have not ordered."
        if m.policy
        else "They reached the payment step and hesitate."
    ),
)

FREE_SHIPPING_BANNER: Final = LiveOffer(
    LiveAction.FREE_SHIPPING_BANNER,
    _WITH_CART,
    (when.CART, when.PRICING),
    (
        _face(
            "banner",
            "Delivery is free for this cart",
            "Orders from {threshold} on come without a delivery charge, and yours is there.",
            cta=("Go to the cart", "@cart"),
            dismiss="Close",
            fits=_threshold_reached,
        ),
        _face(
            "banner",
            "Free delivery from {threshold}",
            "Your cart is {missing} away from it, in case there is something you were going to get anyway.",
            cta=("Go to the cart", "@cart"),
            dismiss="Close",
            fits=_threshold_known,
        ),
        _face(
            "banner",
            "What will delivery cost?",
            "Have a look before you decide: the delivery charge, if there is one, is part of the total you see "
            "before you order.",
            cta=("Go to the cart", "@cart"),
            dismiss="Close",
        ),
    ),
    priority=55,
    because=lambda m: (
        "A coupon was refused with something in the cart."
        if m.profile.coupons_refused
        else "They hesitate over a price with something in the cart."
    ),
)

COMPARISON_CARD: Final = LiveOffer(
    LiveAction.COMPARISON_CARD,
    frozenset({Stage.BROWSER}),
    (when.COMPARING, when.NOT_BUYING_NOW),
    (
        _face(
            "banner",
            "Comparing? Take your time",
            "You have looked at {count} products in {category}. The overview shows them together.",
            cta=("Back to the overview", "@shelf"),
            dismiss="Close",
        ),
    ),
    priority=40,
    because=lambda m: f"They compare {m.compared.same_category} products of one category.",
)

IDENTITY_CAPTURE: Final = LiveOffer(
    LiveAction.IDENTITY_CAPTURE,
    frozenset({Stage.BROWSER}),
    (when.NO_ADDRESS_YET, when.MAY_BE_ASKED, when.LEAVING, when.WORTH_KEEPING),
    (
        _face(
            "popup",
            "Want to find this again?",
            "Leave your e-mail address and we can write to you about what you looked at. You can say stop at any time.",
            send="Remind me",
            consent="Yes, you may e-mail me about what I looked at",
            thanks="Thank you. See you soon.",
        ),
    ),
    priority=30,
    because=lambda m: "They looked closely, are about to leave, and there is no address to write to.",
)

RECOMMENDATION_CAROUSEL: Final = LiveOffer(
    LiveAction.RECOMMENDATION_CAROUSEL,
    _BEFORE_CHECKOUT,
    (when.DEEP, when.OFF_THE_SHELF, when.NOT_BUYING_NOW),
    (
        _face(
            "banner",
            "More in {interest}",
            "You seem to like this part of the shop. Here is all of it.",
            cta=("Show me", "@shelf"),
            dismiss="Close",
        ),
    ),
    priority=20,
    because=lambda m: f"{m.profile.pages} pages, mostly in one category, and nothing in the cart.",
    needs_link="@shelf",
)

DISCOUNT_POPUP: Final = LiveOffer(
    LiveAction.DISCOUNT_POPUP,
    _WITH_CART,
    (),
    (),  # How much, and in which words, is for the shop to say.
    priority=10,
    because=lambda m: "",
)

DEFAULT_CATALOGUE: Final = Catalogue(
    (
        CHAT_INVITE,
        SHORT_FORM,
        CART_SAVE,
        TRUST_CARD,
        FREE_SHIPPING_BANNER,
        COMPARISON_CARD,
        IDENTITY_CAPTURE,
        RECOMMENDATION_CAROUSEL,
        DISCOUNT_POPUP,
    )
)


def _items(moment: Moment) -> str:
    count = moment.profile.cart_items
    return "One item" if count == 1 else f"{count} items"
