"""Fields that the live profile answers: known everywhere, read by the same code in the page and from the store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, Protocol

from flows.conditions import Field, Known, Money, Param, Type, Value
from insights.intents.intent import Intent
from insights.profiles.profile import Profile
from insights.vocabulary.stages import Stage

CHECKOUT: Final = ("none", "started", "contact", "shipping", "payment", "review")
"""``Profile.checkout`` in words: how far they got."""


class Seen(Protocol):
    """A visitor as the live profile knows them."""

    @property
    def profile(self) -> Profile: ...
    @property
    def intent(self) -> Intent: ...
    @property
    def stage(self) -> Stage: ...


Reader = Callable[[Any], Known | None]
"""Takes a ``Seen``; Any, because the readers of moments take more than one and share the tables."""


def cart_value(seen: Seen) -> Money | None:
    """What lies in the cart; unknown while no event has named a currency."""
    profile = seen.profile
    return Money(profile.cart_minor, profile.currency) if profile.currency else None


def _affinity(args: tuple[Value, ...]) -> Reader:
    category = str(args[0]).casefold()

    def share(seen: Seen) -> float:
        return next((share for name, share in seen.intent.affinity.items() if name.casefold() == category), 0.0)

    return share


def _count(name: str, says: str, reader: Reader) -> tuple[Field, Reader]:
    return Field(name, Type.INTEGER, says, least=0), reader


def _share(name: str, says: str, reader: Reader) -> tuple[Field, Reader]:
    return Field(name, Type.NUMBER, says, least=0, most=1), reader


_SIMPLE: Final[tuple[tuple[Field, Reader], ...]] = (
    (
        Field("visitor.stage", Type.CHOICE, "How far they are.", choices=tuple(stage.value for stage in Stage)),
        lambda s: s.stage.value,
    ),
    _count("visitor.sessions", "Visits, this one included.", lambda s: s.profile.sessions),
    _count("visitor.purchases", "Orders.", lambda s: s.profile.purchases),
    _count("visitor.carts_left", "Earlier visits that left something in the cart.", lambda s: s.profile.carts_left),
    (
        Field("visitor.has_email", Type.BOOLEAN, "Their e-mail address is known."),
        lambda s: s.profile.has_email,
    ),
    (
        Field("consent.analytics", Type.BOOLEAN, "They agreed to be observed; unknown until they were asked."),
        lambda s: s.profile.analytics,
    ),
    (
        Field("consent.marketing", Type.BOOLEAN, "They agreed to marketing; unknown until they were asked."),
        lambda s: s.profile.marketing,
    ),
    _share("intent.propensity", "How likely they are to buy.", lambda s: s.intent.propensity),
    _share("intent.bounce_risk", "How likely they are to leave now.", lambda s: s.intent.bounce_risk),
    _share("intent.price_sensitivity", "How much the price matters to them.", lambda s: s.intent.price_sensitivity),
    (
        Field("intent.top_category", Type.TEXT, "The category that interests them most."),
        lambda s: next(iter(s.intent.affinity), None),
    ),
    _share(
        "intent.top_affinity",
        "The share of that category in what interests them.",
        lambda s: next(iter(s.intent.affinity.values()), None),
    ),
    _count("cart.items", "Pieces in the cart.", lambda s: s.profile.cart_items),
    (Field("cart.value", Type.MONEY, "What lies in the cart."), cart_value),
    _count("session.pages", "Pages seen.", lambda s: s.profile.pages),
    (
        Field("session.engaged", Type.DURATION, "How long they were active."),
        lambda s: timedelta(milliseconds=s.profile.engaged_ms),
    ),
    _count("session.products_seen", "Products looked at.", lambda s: s.profile.products_seen),
    _count(
        "session.products_compared",
        "Different products looked at, up to ten.",
        lambda s: s.profile.compared().products,
    ),
    _count(
        "session.compared_in_category",
        "The most different products of one category, up to ten.",
        lambda s: s.profile.compared().same_category,
    ),
    _count("session.searches", "Searches.", lambda s: s.profile.searches),
    _count("session.empty_searches", "Searches without a result.", lambda s: s.profile.empty_searches),
    _count("session.quick_backs", "Pages left at once by going back.", lambda s: s.profile.quick_backs),
    _count("session.exit_intents", "Signs of leaving.", lambda s: s.profile.exits),
    _count("session.reviews_read", "Looks at reviews.", lambda s: s.profile.reviews),
    _count("session.policies_read", "Pages about returns, delivery or security.", lambda s: s.profile.policies),
    _count("session.copies", "Texts copied.", lambda s: s.profile.copies),
    _count("session.hesitations", "Long hovers over something.", lambda s: s.profile.hesitations),
    _count("session.coupons_refused", "Coupons that were refused.", lambda s: s.profile.coupons_refused),
    _count("session.coupons_accepted", "Coupons that were accepted.", lambda s: s.profile.coupons_accepted),
    _count("session.cart_added", "Times something was put into the cart.", lambda s: s.profile.cart_adds),
    _count("session.cart_removed", "Times something was taken out of it.", lambda s: s.profile.cart_removes),
    _count("session.failed_requests", "Requests of the page that failed.", lambda s: s.profile.failures),
    _count("session.js_errors", "Script errors.", lambda s: s.profile.js_errors),
    _count("session.rage_clicks", "Angry clicks.", lambda s: s.profile.rage_clicks),
    _count("session.dead_clicks", "Clicks that did nothing.", lambda s: s.profile.dead_clicks),
    _count("session.cart_trouble", "Failures in cart or checkout.", lambda s: s.profile.cart_trouble),
    _count("session.fields_refocused", "Form fields gone back to.", lambda s: s.profile.refocused),
    _count("session.forms_left", "Forms begun and left.", lambda s: s.profile.forms_left),
    (
        Field("session.checkout", Type.CHOICE, "How far they got in the checkout.", choices=CHECKOUT),
        lambda s: CHECKOUT[s.profile.checkout],
    ),
    (Field("session.bought", Type.BOOLEAN, "They ordered."), lambda s: s.profile.bought),
    (Field("session.paid_click", Type.BOOLEAN, "They came by a paid click."), lambda s: s.profile.paid_click),
)

AFFINITY: Final = Field(
    "intent.affinity",
    Type.NUMBER,
    "The share of a category in what interests them; 0 where it does not.",
    params=(Param("category", Type.TEXT),),
    least=0,
    most=1,
)

PROFILE_FIELDS: Final = (*(field for field, _ in _SIMPLE), AFFINITY)

_READERS: Final = {field.name: reader for field, reader in _SIMPLE}


def profile_reader(name: str, args: tuple[Value, ...]) -> Reader | None:
    """How to read a field of a ``Seen``; None when the profile does not know it."""
    return _affinity(args) if name == AFFINITY.name else _READERS.get(name)
