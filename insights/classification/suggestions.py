"""What to do about a reason: actions of the closed registry, with parameters read from the visit. Pure.

For a conversion it is what to amplify: the thing that seems to have convinced, for people like this one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from insights.classification.places import DELIVERY, PAYING, RECOMMENDED, text
from insights.classification.suggestion_params import (
    MOST_PRODUCTS,
    PARAMS,
    AddToSegment,
    Amplify,
    CreateTicket,
    DoNothing,
    FailingRequest,
    FailingScript,
    Params,
    SendEmail,
    TagCustomer,
    Topic,
    TriggerRetargeting,
)
from insights.classification.verdict import Suggestion
from insights.privacy.redact import redact_path
from insights.recovery.cart import cart_items, viewed_products
from insights.recovery.plain import one_line
from insights.recovery.worst_error import worst_error
from insights.timeline.timeline import Timeline, TimelineEvent
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.reasons import Reason

DISCOUNT_PERCENT: Final = 10
DISCOUNT_HOURS: Final = 24
_TOPICS: Final[tuple[tuple[Topic, str], ...]] = (
    ("returns", "return|refund|widerruf|ruck|rück|retour|devoluci"),
    ("privacy", "privac|datenschutz|confidential"),
    ("guarantee", "guarant|warrant|garantie"),
    ("company", "about|imprint|impressum|contact|kontakt|qui-sommes|ueber|über|legal"),
)


def suggestions_for(reason: Reason, timeline: Timeline) -> tuple[Suggestion, ...]:
    """At least one action, the best first; do_nothing where nothing fits."""
    return tuple(_suggested(params) for params in _params(reason, timeline.events))


def _suggested(params: Params) -> Suggestion:
    action = next(action for action, kind in PARAMS.items() if type(params) is kind)
    return Suggestion(action, params.model_dump(mode="json", exclude_defaults=True))


def _params(reason: Reason, events: Sequence[TimelineEvent]) -> list[Params]:
    if reason is Reason.UNCLEAR:
        return [DoNothing()]
    seen = _products(viewed_products(events))
    cart = _products(cart_items(events))
    match reason:
        case Reason.PRICE_HESITATION:
            compare = SendEmail(message="value_comparison", products=seen or cart)
            discount = SendEmail(
                message="discount_24h",
                products=cart,
                discount_percent=DISCOUNT_PERCENT,
                discount_hours=DISCOUNT_HOURS,
            )
            # A code costs money: first to those who have come as far as the cart, else after the comparison.
            return [discount, compare] if cart else [compare, discount]
        case Reason.UX_FRICTION:
            return [SendEmail(message="saved_cart_help", products=cart), *_stumbling_block(events)]
        case Reason.TRUST_CONCERN:
            return [SendEmail(message="trust_answers", products=cart or seen, topics=_topics(events))]
        case Reason.COMPARISON_SHOPPING:
            return [SendEmail(message="value_comparison", products=seen or cart)]
        case Reason.DISTRACTION:
            reminder = SendEmail(message="cart_reminder", products=cart or seen)
            return [reminder] if cart or not seen else [TriggerRetargeting(products=seen), reminder]
        case Reason.TECHNICAL_ERROR:
            return [_ticket(events), SendEmail(message="it_is_fixed", products=cart, after="ticket_fixed")]
        case _:
            return [_amplified(reason, events, seen)]


def _amplified(reason: Reason, events: Sequence[TimelineEvent], seen: list[str]) -> Params:
    bought = _products(
        [{"product_id": event.props.get("product_id")} for event in events if event.type == "cart_added"][::-1]
    )
    match reason:
        case Reason.URGENCY:
            promos = [text(e, "kind") for e in events if e.type == "promo_seen"]
            promo = next((p for p in promos if p in ("countdown", "low_stock")), None)
            return AddToSegment(
                segment="acts_on_urgency",
                amplify=Amplify.model_validate({"what": "promo", "promo": promo, "products": bought}),
            )
        case Reason.SOCIAL_PROOF:
            read = _products([{"product_id": e.props.get("product_id")} for e in events if e.type == "reviews_viewed"])
            return AddToSegment(segment="reads_reviews", amplify=Amplify(what="reviews", products=read or bought))
        case Reason.RETURNING_INTENT:
            amplify = Amplify(what="saved_cart", live_action=LiveAction.CART_SAVE, products=bought)
            return TagCustomer(tag="returning", amplify=amplify)
        case Reason.RECOMMENDATION_MATCH:
            where = next(
                (e for e in events if e.type == "clicked" and RECOMMENDED.search(f"{text(e, 'selector')}")), None
            )
            amplify = Amplify(
                what="recommendation",
                live_action=LiveAction.RECOMMENDATION_CAROUSEL,
                products=bought,
                page=_page(where),
            )
            return AddToSegment(segment="follows_recommendations", amplify=amplify)
        case Reason.CLEAR_CTA:
            landing = next((e for e in events if e.type == "page_viewed"), None)
            return AddToSegment(
                segment="quick_buyers", amplify=Amplify(what="short_path", products=bought, page=_page(landing))
            )
        case _:
            accepted = any(e.type == "coupon_tried" and e.props.get("accepted") is True for e in events)
            free = any(e.type == "promo_seen" and e.props.get("kind") == "free_shipping" for e in events)
            live = LiveAction.DISCOUNT_POPUP if accepted else LiveAction.FREE_SHIPPING_BANNER if free else None
            return AddToSegment(
                segment="value_buyers", amplify=Amplify(what="offer", live_action=live, products=bought or seen[:1])
            )


def _ticket(events: Sequence[TimelineEvent]) -> CreateTicket:
    error = worst_error(tuple(events))
    if error is None:
        # A reason of this name needs no failing request that we saw: a slow one, or clicks that did nothing.
        clicks = [event for event in events if event.type in ("rage_click", "dead_click")]
        return CreateTicket(priority="normal", count=max(1, len(clicks)), page=_page(events[-1] if events else None))
    cited = set(error["event_ids"])
    met = next((event for event in events if str(event.id) in cited), None)
    is_request = error["kind"] == "request"
    return CreateTicket(
        fingerprint=error["fingerprint"],
        priority="high",
        request=FailingRequest(method=error["method"], path=one_line(error["path"], 500), status=error["status"])
        if is_request
        else None,
        script=None
        if is_request
        else FailingScript(
            message=one_line(error["message"], 500), source=one_line(error["source"], 500) or None, line=error["line"]
        ),
        stack=[one_line(line, 500) for line in error["stack"] or ()][:12],
        count=error["count"],
        page=_page(met),
    )


def _stumbling_block(events: Sequence[TimelineEvent]) -> list[Params]:
    """A ticket for the element or field that was fought with, where there is one."""
    clicks = [event for event in events if event.type in ("rage_click", "dead_click") and text(event, "selector")]
    fields = [event for event in events if event.type == "form_abandoned" and text(event, "last_field")]
    if clicks:
        selectors = [text(event, "selector") for event in clicks]
        most = max(dict.fromkeys(selectors), key=selectors.count)
        where = next(event for event in clicks if text(event, "selector") == most)
        element = one_line(most, 200)
        return [CreateTicket(priority="low", element=element, count=selectors.count(most), page=_page(where))]
    if fields:
        name = one_line(f"{text(fields[-1], 'form')} {text(fields[-1], 'last_field')}", 200)
        return [CreateTicket(priority="low", field=name, count=len(fields), page=_page(fields[-1]))]
    return []


def _topics(events: Sequence[TimelineEvent]) -> list[Topic]:
    """What they wanted to know, from the pages and sections they looked at and what they searched for."""
    looked = [
        f"{event.path if event.type == 'page_viewed' else ''} {text(event, 'section')} {text(event, 'query')}".lower()
        for event in events
        if event.type in ("page_viewed", "searched", "scrolled", "text_selected", "text_copied", "hover_hesitation")
    ]
    at_payment = any(event.type == "checkout_step" and text(event, "step") == "payment" for event in events)
    found: list[Topic] = [topic for topic, words in _TOPICS if any(re.search(words, line) for line in looked)]
    if at_payment or any(PAYING.search(line) or "secur" in line for line in looked):
        found.append("payment")
    if any(DELIVERY.search(line) for line in looked):
        found.append("delivery")
    return found


def _products(items: Sequence[dict[str, Any]]) -> list[str]:
    found = dict.fromkeys(one_line(item.get("product_id"), 512) for item in items)
    return [product for product in found if product][:MOST_PRODUCTS]


def _page(event: TimelineEvent | None) -> str | None:
    return (redact_path(event.path) or None) if event is not None else None
