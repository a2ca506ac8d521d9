"""The event catalogue: every event type on the wire and the types of its known props.

All props are optional unless a class below gives them no default. Unknown props pass through untouched; a known prop of
a wrong type is refused by name. Money is in integer minor units beside an ISO 4217 ``currency``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Millis = Annotated[float, Meta(ge=0, le=2**53)]
Minor = Annotated[int, Meta(ge=-(2**53), le=2**53)]
Text = Annotated[str, Meta(max_length=4096)]
Name = Annotated[str, Meta(max_length=512, min_length=1)]
OrderId = Annotated[str, Meta(max_length=512, pattern=r"^\S([\s\S]*\S)?(?![\s\S])")]
"""Without blanks around it: the same order told with and without them would be two."""
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]


class Props(Struct, gc=False):
    """Base of every props type."""


class PageViewed(Props):
    url: Text | None = None
    path: Text | None = None
    title: Text | None = None
    referrer: Text | None = None
    source: dict[str, Any] | None = None
    client: dict[str, Any] | None = None


class QuickBack(Props, rename={"from_": "from"}):
    from_: Text | None = None
    to: Text | None = None
    ms: Millis | None = None


class Clicked(Props):
    selector: Text | None = None
    role: Text | None = None
    label: Text | None = None
    href: Text | None = None


class DeadClick(Props):
    selector: Text | None = None
    role: Text | None = None


class RageClick(Props):
    selector: Text | None = None
    role: Text | None = None
    count: Count | None = None


class Scrolled(Props):
    depth: Share | None = None
    section: Text | None = None


class FormField(Props):
    form: Text | None = None
    field: Text | None = None
    kind: Text | None = None
    focused_ms: Millis | None = None
    first_input_ms: Millis | None = None
    refocused: Count | None = None


class FormSubmitted(Props):
    form: Text | None = None


class FormAbandoned(Props):
    form: Text | None = None
    filled: Count | None = None
    fields: Count | None = None
    last_field: Text | None = None


class HoverHesitation(Props):
    selector: Text | None = None
    section: Text | None = None
    ms: Millis | None = None


class Engaged(Props):
    ms: Millis | None = None


class TabHidden(Props):
    pass


class TabReturned(Props):
    away_ms: Millis | None = None


class ExitIntent(Props):
    kind: Text | None = None


class RequestFailed(Props):
    method: Text | None = None
    path: Text | None = None
    status: Count | None = None
    ms: Millis | None = None


class JsError(Props):
    message: Text | None = None
    source: Text | None = None
    line: Count | None = None


class TextCopied(Props):
    section: Text | None = None


class TextSelected(Props):
    section: Text | None = None


class ProductViewed(Props):
    product_id: Name
    name: Text | None = None
    category: Text | None = None
    price_minor: Minor | None = None
    currency: Currency | None = None


class CartChanged(Props):
    product_id: Name
    name: Text | None = None
    category: Text | None = None
    price_minor: Minor | None = None
    quantity: Count | None = None
    cart_value_minor: Minor | None = None
    currency: Currency | None = None


class CheckoutStarted(Props):
    cart_value_minor: Minor | None = None
    currency: Currency | None = None
    items: Count | list[Any] | None = None


class CheckoutStep(Props):
    step: Literal["contact", "shipping", "payment", "review"]


class CouponTried(Props):
    accepted: bool | None = None


class Purchased(Props):
    """An order. ``online`` is false where no page of the shop was bought on, as other dialects' senders say."""

    order_id: OrderId
    value_minor: Minor | None = None
    margin_minor: Minor | None = None
    currency: Currency | None = None
    items: Count | list[Any] | None = None
    online: bool | None = None


class Refunded(Props):
    """Money given back for an order. Without ``value_minor`` all of it; ``refund_id`` tells copies of one refund."""

    order_id: OrderId
    value_minor: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    currency: Currency | None = None
    refund_id: Name | None = None


class ReviewsViewed(Props):
    product_id: Text | None = None
    count: Count | None = None


class PromoSeen(Props):
    kind: Literal["countdown", "low_stock", "code", "free_shipping"]
    text: Text | None = None


class Searched(Props):
    query: Text | None = None
    results: Count | None = None


class Identified(Props):
    """``signatures``: of user_id, email and phone, by the shop's server. Looked at, and not kept."""

    user_id: Name | None = None
    email: Annotated[str, Meta(max_length=320)] | None = None
    phone: Annotated[str, Meta(max_length=40)] | None = None
    traits: dict[str, Any] | None = None
    signatures: dict[str, Any] | None = None


class ConsentChanged(Props):
    analytics: bool | None = None
    marketing: bool | None = None
    channels: list[Name] | None = None
    version: Name | None = None
    text_id: Name | None = None


class ActionOutcome(Props):
    """``answer``: what they chose or wrote in a form or carousel."""

    decision_id: Name
    action: Name
    answer: Text | None = None


class SessionEnded(Props):
    reason: Literal["closed", "navigated"] | None = None


class Custom(Props):
    name: Text | None = None
    props: dict[str, Any] | None = None


PROPS: dict[str, type[Props]] = {
    "page_viewed": PageViewed,
    "quick_back": QuickBack,
    "clicked": Clicked,
    "dead_click": DeadClick,
    "rage_click": RageClick,
    "scrolled": Scrolled,
    "form_field": FormField,
    "form_submitted": FormSubmitted,
    "form_abandoned": FormAbandoned,
    "hover_hesitation": HoverHesitation,
    "engaged": Engaged,
    "tab_hidden": TabHidden,
    "tab_returned": TabReturned,
    "exit_intent": ExitIntent,
    "request_failed": RequestFailed,
    "js_error": JsError,
    "text_copied": TextCopied,
    "text_selected": TextSelected,
    "product_viewed": ProductViewed,
    "cart_added": CartChanged,
    "cart_removed": CartChanged,
    "checkout_started": CheckoutStarted,
    "checkout_step": CheckoutStep,
    "coupon_tried": CouponTried,
    "purchased": Purchased,
    "refunded": Refunded,
    "reviews_viewed": ReviewsViewed,
    "promo_seen": PromoSeen,
    "searched": Searched,
    "identified": Identified,
    "consent_changed": ConsentChanged,
    "action_shown": ActionOutcome,
    "action_clicked": ActionOutcome,
    "action_dismissed": ActionOutcome,
    "session_ended": SessionEnded,
    "custom": Custom,
}
"""Event type → the types of its known props."""

OUTCOME_TYPES = frozenset({"action_shown", "action_clicked", "action_dismissed"})

AFTERWARDS = frozenset({"refunded"})
"""Told of a visit after it, by a server: stored, but no part of a visit. They open, prolong and reopen no session."""
