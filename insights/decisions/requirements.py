"""Requirements: what has to be true of a moment for an action to make sense, and the words for when it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from flows.conditions import Compiled
from insights.decisions.moment import Moment
from insights.decisions.reading import compiled


@dataclass(frozen=True, slots=True)
class Requirement:
    """``unmet`` completes "not shown because …"; a condition that is unknown does not hold."""

    unmet: str
    condition: Compiled[Moment]


def requires(written: object, unmet: str) -> Requirement:
    """The requirement that a condition holds, in its text or JSON form. Raises ConditionInvalid."""
    return Requirement(unmet, compiled(written))


NO_ADDRESS_YET: Final = requires("visitor.has_email = false", "their address is known already")
MAY_BE_ASKED: Final = requires("consent.marketing is unknown or consent.marketing = true", "they declined marketing")
CART: Final = requires("cart.items > 0", "the cart is empty")
LEAVING: Final = requires("session.leaving = true", "no sign of leaving")
LEAVING_OR_STALLED: Final = requires(
    "session.leaving = true or session.stalled = true", "no sign of leaving or hesitating"
)
TROUBLE: Final = requires("session.in_trouble = true", "nothing failed twice in cart or checkout just now")
TROUBLE_OR_FORM: Final = requires(
    """session.in_trouble = true
       or (page.kind = "checkout" and cart.items > 0 and (session.forms_left > 0 or session.fields_refocused >= 4))""",
    "neither cart nor form gave them trouble just now",
)
PRICING: Final = requires("session.doubts_price = true", "no hesitation over a price just now")
INTERESTED: Final = requires("session.products_seen > 0 or cart.items > 0", "no product looked at yet")
WONDERING: Final = requires(
    """(session.asks_policy = true and (page.kind != "policy" or session.leaving = true))
       or (session.checkout in ("payment", "review")
           and (session.leaving = true or session.stalled = true or session.fields_refocused >= 2))""",
    "no doubt about returns, delivery or payment",
)
COMPARING: Final = requires(
    'session.compared_in_category >= 3 and session.checkout = "none"',
    "fewer than 3 products of one category looked at",
)
DEEP: Final = requires(
    "session.pages >= 5 and session.compared_in_category >= 2 and intent.top_affinity >= 0.6",
    "not deep in one category",
)
OFF_THE_SHELF: Final = requires("session.shelf_elsewhere = true", "no page of that category to link to")
NOT_BUYING_NOW: Final = requires('page.kind not in ("cart", "checkout")', "they are at the cart or checkout")
WORTH_KEEPING: Final = requires(
    """session.products_compared >= 3 or session.engaged >= 60s
       or (visitor.sessions > 1 and session.products_seen > 0)""",
    "too little looked at to be worth a message",
)
