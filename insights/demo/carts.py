"""Whose basket is whose: the demo shop's sessions, by cookie, in memory."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from insights.demo.basket import Basket, Totals
from insights.demo.catalogue import Product


@dataclass(frozen=True)
class Order:
    """A placed order, as the thank-you page shows it."""

    order_id: str
    lines: list[tuple[Product, int]]
    totals: Totals
    email: str


@dataclass
class ShopSession:
    """One browser's basket and orders. The lock keeps two coupon tries of one browser apart."""

    basket: Basket = field(default_factory=Basket)
    orders: dict[str, Order] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Sessions:
    """At most ``most`` sessions: the one unused for longest makes room for a new one."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._by_key: OrderedDict[str, ShopSession] = OrderedDict()

    def find(self, key: str | None) -> ShopSession | None:
        """The session behind a cookie, if we gave that cookie out and still remember."""
        if key is None or key not in self._by_key:
            return None
        self._by_key.move_to_end(key)
        return self._by_key[key]

    def open(self) -> tuple[str, ShopSession]:
        """A new session and the value of its cookie."""
        key, session = secrets.token_urlsafe(24), ShopSession()
        self._by_key[key] = session
        while len(self._by_key) > self._most:
            self._by_key.popitem(last=False)
        return key, session
