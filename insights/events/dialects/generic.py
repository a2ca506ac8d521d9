"""A webhook of anybody's own making in our words: ``{"type": "purchased", "timestamp": …, "data": {…}}``. Pure.

That is the shape which Standard Webhooks recommends. ``data`` says who it is about (``visitor``, ``anonymous_id``,
``user_id``, ``email`` or ``phone``), perhaps ``session`` and ``url``; the rest are the event's props.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from insights.events.dialects.translation import (
    Envelope,
    Translated,
    Untranslatable,
    Who,
    epoch_ms,
    is_fresh,
    mapping,
    text,
)
from insights.vocabulary.events import AFTERWARDS, PROPS

_OF_ORDERS: Final = ("purchased", *AFTERWARDS)
_WHO: Final = ("visitor", "anonymous_id", "user_id", "email", "phone")


def translate(message: object, envelope: Envelope) -> list[Translated]:
    """``envelope.type`` is the webhook's id; ``envelope.context`` may say whose order it is, and of which visit. Raises
    Untranslatable."""
    body = mapping(message, "body")
    type_ = text(body.get("type"), "type")
    if type_ is None or len(type_) > 200:
        raise Untranslatable("type: is missing; it is one of our event types, or a name of your own")
    data = mapping(body.get("data"), "data")
    said = {name: text(data.get(name), f"data.{name}") for name in _WHO}
    known = mapping(envelope.context, "context")
    visitor = said["visitor"] or text(known.get("visitor"), "context.visitor")
    order = text(data.get("order_id"), "data.order_id") if type_ in AFTERWARDS else None
    try:
        identifier = UUID(visitor) if visitor is not None else None
    except ValueError:
        identifier = UUID(int=0)
    if identifier is not None and not identifier.int:
        raise Untranslatable("data.visitor: must be a UUID other than zero")
    nobody = not any((visitor, *(said[name] for name in _WHO)))
    if nobody and order is None:
        raise Untranslatable("data.user_id: is missing; send visitor, anonymous_id, user_id, email or phone")
    who = Who(
        visitor=identifier,
        anonymous_id=said["anonymous_id"] or (f"order/{order}" if nobody else None),
        user_id=said["user_id"],
        email=said["email"],
        phone=said["phone"],
    )
    kept = {name: value for name, value in data.items() if name not in (*_WHO, "session", "url")}
    if type_ == "identified":
        kept |= {name: value for name, value in said.items() if name not in ("visitor", "anonymous_id") and value}
    session, url = text(data.get("session"), "data.session"), text(data.get("url"), "data.url")
    if session is None and said["visitor"] is None:
        session = text(known.get("session"), "context.session")
    at = body.get("timestamp")
    return [
        Translated(
            key=envelope.type or "",
            type=type_ if type_ in PROPS else "custom",
            props=kept if type_ in PROPS else {"name": type_, "props": kept},
            who=who,
            at_ms=envelope.received_ms if at is None else epoch_ms(at, "timestamp"),
            url=url,
            session=session[:200] if session else None,
            says_who=type_ == "identified",
        )
    ]


def order_of(message: Any) -> str | None:
    """The order that a webhook is about."""
    data = message.get("data") if isinstance(message, dict) else None
    order = data.get("order_id") if isinstance(data, dict) and message.get("type") in _OF_ORDERS else None
    if not isinstance(order, str | int) or isinstance(order, bool):
        return None
    return str(order).strip() or None


def placed_at(message: object, received_ms: int) -> int | None:
    """When the order was placed that a webhook tells of, epoch milliseconds; None where it tells of none."""
    if not isinstance(message, dict) or message.get("type") != "purchased":
        return None
    at = message.get("timestamp")
    try:
        return received_ms if at is None else epoch_ms(at, "timestamp")
    except Untranslatable:
        return None


def placed_just_now(message: Any, received_ms: int) -> bool:
    """Whether an order is so fresh that the page which it was placed on may not have told of it yet."""
    at_ms = placed_at(message, received_ms)
    data = message.get("data") if at_ms is not None else None
    if at_ms is None or not isinstance(data, dict):
        return False
    return not any(data.get(name) for name in ("visitor", "anonymous_id", "session")) and is_fresh(at_ms, received_ms)
