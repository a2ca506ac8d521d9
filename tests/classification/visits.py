"""A small language to tell a visit in: each step says how many seconds after the one before it happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from insights.timeline.assemble import assemble
from insights.timeline.timeline import PriorVisits, Timeline, TimelineEvent
from insights.vocabulary.ids import uuid7_from_key
from insights.vocabulary.reasons import Reason

START = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
PROJECT = UUID("00000000-0000-4000-8000-0000000000aa")
VISITOR = UUID("00000000-0000-4000-8000-0000000000bb")
SESSION = uuid7_from_key(START_MS, "visit")

Step = tuple[float, str, dict[str, Any]]


@dataclass(frozen=True)
class Visit:
    """One visit and the reason that a person who watched it would name; two where both would be fair."""

    name: str
    expected: tuple[Reason, ...]
    steps: tuple[Step, ...]
    prior: PriorVisits = field(default_factory=PriorVisits)

    def timeline(self) -> Timeline:
        return told(*self.steps, prior=self.prior)


def told(*steps: Step, prior: PriorVisits | None = None) -> Timeline:
    """The timeline of these steps. Every event happened on the page that was opened last."""
    return assemble(PROJECT, SESSION, VISITOR, events(*steps), prior)


def events(*steps: Step) -> list[TimelineEvent]:
    """The events of these steps, in order."""
    at, url, found = START, "https://shop.example/", []
    for number, (after, kind, props) in enumerate(steps):
        at += timedelta(seconds=after)
        url = props.get("url", url) if kind == "page_viewed" else url
        identifier = uuid7_from_key(START_MS, f"event {number}")
        found.append(TimelineEvent(identifier, at, kind, "tab", number, url, props))
    return found


def page(path: str, after: float = 6, **props: Any) -> Step:
    """Opens a page. ``path`` may carry a query."""
    return (
        after,
        "page_viewed",
        {"url": f"https://shop.example{path}", "path": path.partition("?")[0], "title": "A page", **props},
    )


def product(name: str, category: str, price: int, after: float = 8) -> Iterator[Step]:
    """Opens a product's page."""
    yield page(f"/product/{name}", after)
    props = {"product_id": name, "name": name.title(), "category": category, "price_minor": price, "currency": "EUR"}
    yield (0.2, "product_viewed", props)


def add(name: str, price: int, total: int | None = None, after: float = 12, quantity: int = 1) -> Step:
    """Puts a product into the cart, which is worth ``total`` after that."""
    return (after, "cart_added", _line(name, price, price if total is None else total, quantity))


def remove(name: str, price: int, total: int, after: float = 10) -> Step:
    """Takes a product out of the cart again."""
    return (after, "cart_removed", _line(name, price, total, 1))


def _line(name: str, price: int, total: int, quantity: int) -> dict[str, Any]:
    return {
        "product_id": name,
        "name": name.title(),
        "price_minor": price,
        "quantity": quantity,
        "cart_value_minor": total,
        "currency": "EUR",
    }


def checkout(total: int, *steps: str, each: float = 25) -> Iterator[Step]:
    """Goes to the checkout and through its steps."""
    yield page("/checkout", 5)
    yield (0.5, "checkout_started", {"cart_value_minor": total, "currency": "EUR", "items": 1})
    for number, step in enumerate(steps):
        yield (each if number else 1.0, "checkout_step", {"step": step})


def order(total: int, after: float = 20) -> Step:
    """Orders."""
    return (after, "purchased", {"order_id": "o-1", "value_minor": total, "currency": "EUR", "items": 1})


def failed(path: str, status: int = 500, after: float = 3, method: str = "POST", ms: float = 300) -> Step:
    """A request of the page fails."""
    return (after, "request_failed", {"method": method, "path": path, "status": status, "ms": ms})


def click(selector: str, label: str, after: float = 3, role: str = "button") -> Step:
    return (after, "clicked", {"selector": selector, "role": role, "label": label})


def does(kind: str, after: float = 3, /, **props: Any) -> Step:
    """Anything else."""
    return (after, kind, props)


def leaves(after: float = 4, reason: str = "closed") -> Step:
    """Closes the tab."""
    return (after, "session_ended", {"reason": reason})
