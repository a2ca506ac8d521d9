"""Puts events into a timeline and sums it up: pure, so that the same events always give the same answer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from insights.timeline.timeline import PriorVisits, Timeline, TimelineEvent
from insights.vocabulary.actions import LiveAction

MOST_PATHS = 500
"""Paths that a session is found by; a robot may see thousands."""

_ACTIONS = frozenset(str(action) for action in LiveAction)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list of sessions shows of one: stored on the session row when it closes.

    ``paths`` and ``shown`` (live actions): each once, in the order of the first time.
    """

    started_at: datetime
    last_event_at: datetime
    event_count: int
    landing_path: str | None
    exit_path: str | None
    paths: tuple[str, ...]
    shown: tuple[str, ...]
    purchased: bool
    reached_checkout: bool
    added_to_cart: bool
    products_seen: int
    cart_value_minor: int | None
    currency: str | None
    product: str | None
    source: dict[str, Any]
    client: dict[str, Any]


def assemble(
    project_id: UUID,
    session_id: UUID,
    visitor_id: UUID,
    events: Iterable[TimelineEvent],
    prior: PriorVisits | None = None,
) -> Timeline:
    """A timeline with each event once, sorted by time, then tab order, then id: arrival order does not matter."""
    unique = {event.id: event for event in events}
    ordered = sorted(unique.values(), key=lambda event: (event.at, event.tab, event.seq, event.id))
    return Timeline(project_id, session_id, visitor_id, tuple(ordered), prior or PriorVisits())


def timeline_hash(timeline: Timeline) -> str:
    """SHA-256 over everything a classifier may look at: equal hashes mean that there is nothing new to say."""
    digest = hashlib.sha256()
    encode = msgspec.json.Encoder(order="deterministic").encode
    for event in timeline.events:
        digest.update(encode([event.id, event.at, event.type, event.url, dict(event.props)]))
    digest.update(encode([timeline.prior.sessions, timeline.prior.purchases]))
    return digest.hexdigest()


def summarise(timeline: Timeline) -> Summary:
    """Sums up a timeline that has at least one event."""
    events = timeline.events
    types = {event.type for event in events}
    paths = [event.path for event in events if event.path]
    cart_value, currency = cart_after(events)
    first_page = next((event for event in events if event.type == "page_viewed"), None)
    props = first_page.props if first_page is not None else {}
    source, client = props.get("source"), props.get("client")
    return Summary(
        started_at=events[0].at,
        last_event_at=events[-1].at,
        event_count=len(events),
        landing_path=paths[0] if paths else None,
        exit_path=paths[-1] if paths else None,
        paths=tuple(dict.fromkeys(paths))[:MOST_PATHS],
        shown=_shown(events) if "action_shown" in types else (),
        purchased="purchased" in types,
        reached_checkout="checkout_started" in types or "checkout_step" in types,
        added_to_cart="cart_added" in types,
        products_seen=len({str(e.props.get("product_id")) for e in events if e.type == "product_viewed"}),
        cart_value_minor=cart_value,
        currency=currency,
        product=main_product(events),
        source=source if isinstance(source, dict) else {},
        client=client if isinstance(client, dict) else {},
    )


def _shown(events: Iterable[TimelineEvent]) -> tuple[str, ...]:
    told = (event.props.get("action") for event in events if event.type == "action_shown")
    return tuple(dict.fromkeys(action for action in told if isinstance(action, str) and action in _ACTIONS))


def main_product(events: Iterable[TimelineEvent]) -> str | None:
    """The id of the product that a visit was about: the last one put into the cart, or else looked at."""
    seen: dict[str, str] = {}
    for event in events:
        product = event.props.get("product_id")
        if event.type in ("cart_added", "product_viewed") and isinstance(product, str) and product:
            seen[event.type] = product[:200]
    return seen.get("cart_added") or seen.get("product_viewed")


def cart_after(events: Iterable[TimelineEvent]) -> tuple[int | None, str | None]:
    """The cart's value in minor units and its currency after the last of ``events``; (None, None) if never filled, or
    with things in several currencies: no rate is guessed.

    The shop's own total (``cart_value_minor``) wins; without it, price times quantity is added up. What names no
    currency is in the one that was told last. A purchase empties the cart.
    """
    values: dict[str | None, int] = {}
    currency: str | None = None
    for event in events:
        props = event.props
        if event.type in ("cart_added", "cart_removed", "checkout_started"):
            if isinstance(code := props.get("currency"), str):
                currency = code
                if None in values:
                    values[code] = values.get(code, 0) + values.pop(None)
            total = props.get("cart_value_minor")
            if isinstance(total, int):
                values = {currency: total}
            elif event.type != "checkout_started" and isinstance(price := props.get("price_minor"), int):
                quantity = props.get("quantity")
                amount = price * (quantity if isinstance(quantity, int) else 1)
                more = amount if event.type == "cart_added" else -amount
                values[currency] = max(0, values.get(currency, 0) + more)
        elif event.type == "purchased":
            values = {currency: 0}
    left = [(value, code) for code, value in values.items() if value]
    if len(left) > 1:
        return None, None
    return left[0] if left else (0 if values else None, currency)
