"""Small exports of the same story in several formats: somebody leaves a cart, somebody orders, somebody just looks."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from insights.vocabulary.ids import uuid7_from_key

START = 1_760_000_000_000
MINUTE = 60_000
DAY = 86_400_000
_SPACE = UUID(int=7)

Step = tuple[int, str, dict[str, Any]]
SHOE: dict[str, Any] = {"product_id": "shoe", "category": "shoes", "price_minor": 5000, "currency": "EUR"}
LOOKS: list[Step] = [
    (0, "page_viewed", {"url": "https://shop.example/", "path": "/"}),
    (1, "page_viewed", {"url": "https://shop.example/products/shoe", "path": "/products/shoe"}),
    (1, "product_viewed", SHOE),
]
LEAVES_CART: list[Step] = [*LOOKS, (2, "cart_added", {**SHOE, "quantity": 1, "cart_value_minor": 5000})]
ORDERS: list[Step] = [
    *LEAVES_CART,
    (3, "checkout_started", {"cart_value_minor": 5000, "currency": "EUR"}),
    (4, "purchased", {"order_id": "1", "value_minor": 5000, "currency": "EUR"}),
]


def own_lines(visits: Iterable[tuple[str, int, list[Step]]]) -> list[str]:
    """(visitor, start in epoch ms, steps in minutes) as one line an event, in the order of time."""
    rows = []
    for name, start, steps in visits:
        visitor, session = uuid5(_SPACE, name), uuid7_from_key(start, name)
        for number, (minutes, type_, props) in enumerate(steps):
            at = start + minutes * MINUTE + number
            event = {"id": str(uuid5(session, str(number))), "t": at, "type": type_, "props": props, "seq": number}
            rows.append((at, json.dumps({"visitor": str(visitor), "session": str(session), "event": event})))
    return [line for _, line in sorted(rows)]


def written(folder: Path, lines: Iterable[str], name: str = "export.jsonl") -> Path:
    """The file that holds ``lines``."""
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def three_visits() -> list[tuple[str, int, list[Step]]]:
    """One each: looked, left a cart of €50, ordered."""
    return [
        ("ann", START, LOOKS),
        ("bob", START + 10 * MINUTE, LEAVES_CART),
        ("cat", START + 20 * MINUTE, ORDERS),
    ]
