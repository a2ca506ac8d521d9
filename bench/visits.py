"""Visits of a shop as they are stored: one for each reason that a shop sees most, of 9 to 15 events."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import cycle, islice
from typing import Any, Final
from uuid import UUID, uuid4

from insights.events.entry import Entry
from insights.events.wire import WireEvent
from insights.vocabulary.ids import uuid7

Step = tuple[float, str, dict[str, Any]]

_SHOP: Final = "https://shop.example"


def _page(path: str) -> Step:
    return (6, "page_viewed", {"url": f"{_SHOP}{path}", "path": path, "title": "A page of the shop", "referrer": ""})


_KETTLE: Final = {"product_id": "kettle", "name": "Kettle", "category": "kitchen", "price_minor": 4999}
_MUG: Final = {"product_id": "mug", "name": "Mug", "category": "kitchen", "price_minor": 1450}
_LOOKS: Final[tuple[Step, ...]] = (
    _page("/"),
    (3, "scrolled", {"depth": 0.6, "section": "products"}),
    _page("/product/kettle"),
    (1, "product_viewed", {**_KETTLE, "currency": "EUR"}),
    (5, "engaged", {"ms": 5000}),
    (2, "clicked", {"selector": "button.next", "role": "button", "label": "Next picture"}),
)
_FILLS: Final[tuple[Step, ...]] = (
    *_LOOKS,
    (4, "cart_added", {**_KETTLE, "currency": "EUR", "quantity": 1, "cart_value_minor": 4999}),
    _page("/checkout"),
    (1, "checkout_started", {"cart_value_minor": 4999, "currency": "EUR", "items": 1}),
)
_LEAVES: Final[Step] = (4, "session_ended", {"reason": "closed"})

HESITATES: Final[tuple[Step, ...]] = (
    *_FILLS,
    (2, "identified", {"email": ""}),
    (1, "consent_changed", {"marketing": True}),
    (9, "hover_hesitation", {"selector": "span.total", "section": "total", "ms": 4200}),
    (6, "coupon_tried", {"accepted": False}),
    (5, "coupon_tried", {"accepted": False}),
    (2, "exit_intent", {"kind": "pointer"}),
    _LEAVES,
)
"""Finds the price too high at the checkout, and may be written to."""
FAILS: Final[tuple[Step, ...]] = (
    *_FILLS,
    *((3.0, "request_failed", {"method": "POST", "path": "/api/cart", "status": 500, "ms": 300}) for _ in range(3)),
    _LEAVES,
)
"""Meets a shop that is broken."""
COMPARES: Final[tuple[Step, ...]] = (
    *_LOOKS,
    _page("/product/mug"),
    (1, "product_viewed", {**_MUG, "currency": "EUR"}),
    (4, "text_copied", {"section": "name"}),
    (1, "tab_hidden", {}),
    (60, "tab_returned", {"away_ms": 60000}),
    _LEAVES,
)
BUYS: Final[tuple[Step, ...]] = (
    *_FILLS,
    (20, "checkout_step", {"step": "payment"}),
    (30, "purchased", {"order_id": "", "value_minor": 4999, "currency": "EUR", "items": 1}),
    _LEAVES,
)
LEAVES: Final[tuple[Step, ...]] = (
    *_LOOKS,
    (8, "engaged", {"ms": 8000}),
    (3, "scrolled", {"depth": 0.9, "section": "footer"}),
    _LEAVES,
)
"""Says nothing."""
STORIES: Final = (HESITATES, FAILS, COMPARES, BUYS, LEAVES)


def visits(project_id: UUID, count: int, now: datetime) -> list[Entry]:
    """``count`` visits of different visitors that ended at ``now``, every story equally often."""
    return [visit(project_id, story, now) for story in islice(cycle(STORIES), count)]


def visit(project_id: UUID, story: tuple[Step, ...], now: datetime) -> Entry:
    """One visit of a new visitor that ended at ``now``, with an order id and an e-mail address of its own."""
    at = now - timedelta(seconds=sum(after for after, _, _ in story))
    session, url, events = uuid7(_ms(at)), _SHOP, []
    for number, (after, kind, given) in enumerate(story):
        at += timedelta(seconds=after)
        props = dict(given)
        if kind == "purchased":
            props["order_id"] = str(session)
        elif kind == "identified":
            props["email"] = f"{session.hex}@example.org"
        url = props.get("url", url)
        events.append(WireEvent(id=uuid7(_ms(at)), t=_ms(at), type=kind, seq=number, props=props, url=url))
    return Entry(project_id, uuid4(), session, "tab", None, _ms(now), events)


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
