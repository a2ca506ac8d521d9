"""Conditions: what has to be true of a moment for an action to make sense, and the words for when it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from insights.decisions.moment import Moment
from insights.profiles.pages import PageKind

DEEP_PAGES: Final = 5
COMPARED: Final = 3
FIELDS_TOUCHED_AGAIN: Final = 4
MOSTLY: Final = 0.6


@dataclass(frozen=True, slots=True)
class Condition:
    """``holds`` is pure; ``unmet`` completes "not shown because …"."""

    unmet: str
    holds: Callable[[Moment], bool]


NO_MARGIN_DATA: Final = Condition("no margin data", lambda m: False)
NO_ADDRESS_YET: Final = Condition("their address is known already", lambda m: not m.profile.has_email)
MAY_BE_ASKED: Final = Condition("they declined marketing", lambda m: m.profile.marketing is not False)
CART: Final = Condition("the cart is empty", lambda m: m.profile.cart_items > 0)
LEAVING: Final = Condition("no sign of leaving", lambda m: m.leaving)
LEAVING_OR_STALLED: Final = Condition("no sign of leaving or hesitating", lambda m: m.leaving or m.stalled)
TROUBLE: Final = Condition("nothing failed twice in cart or checkout just now", lambda m: m.trouble)
TROUBLE_OR_FORM: Final = Condition(
    "neither cart nor form gave them trouble just now", lambda m: m.trouble or _form_in_the_way(m)
)
PRICING: Final = Condition("no hesitation over a price just now", lambda m: m.pricing)
INTERESTED: Final = Condition(
    "no product looked at yet", lambda m: m.profile.products_seen > 0 or m.profile.cart_items > 0
)
WONDERING: Final = Condition(
    "no doubt about returns, delivery or payment",
    lambda m: (
        (m.policy and (m.page is not PageKind.POLICY or m.leaving))
        or (m.at_payment and (m.leaving or m.stalled or m.profile.refocused >= 2))
    ),
)
COMPARING: Final = Condition(
    f"fewer than {COMPARED} products of one category looked at",
    lambda m: m.compared.same_category >= COMPARED and not m.profile.checkout,
)
DEEP: Final = Condition(
    "not deep in one category",
    lambda m: (
        m.profile.pages >= DEEP_PAGES
        and m.compared.same_category >= 2
        and next(iter(m.intent.affinity.values()), 0.0) >= MOSTLY
    ),
)
OFF_THE_SHELF: Final = Condition(
    "no page of that category to link to",
    lambda m: m.profile.shelf == m.top_category != "" and m.profile.shelf_link not in ("", m.profile.page_link),
)
NOT_BUYING_NOW: Final = Condition(
    "they are at the cart or checkout", lambda m: m.page not in (PageKind.CART, PageKind.CHECKOUT)
)
WORTH_KEEPING: Final = Condition(
    "too little looked at to be worth a message",
    lambda m: (
        m.compared.products >= COMPARED
        or m.profile.engaged_ms >= 60_000
        or (m.profile.sessions > 1 and m.profile.products_seen > 0)
    ),
)


def _form_in_the_way(m: Moment) -> bool:
    at_form = m.page is PageKind.CHECKOUT and m.profile.cart_items > 0
    return at_form and (m.profile.forms_left > 0 or m.profile.refocused >= FIELDS_TOUCHED_AGAIN)
