"""What a process lets anybody take of it: one object that the doors ask."""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import dataclass, field

import structlog

from insights.errors import TooMany
from insights.traffic.addresses import Client, Clients, truncated
from insights.traffic.buckets import Buckets
from insights.traffic.seats import Seats

log = structlog.get_logger()

WRONG_KEY_COSTS = 20.0
"""Requests that a wrong key counts for: keys are not guessed quickly."""

HOLD_SECONDS = 0.3
"""How long who is turned away waits for it, more or less, while few are: those who are turned away together must not
come back together, or everybody else waits for all of them at once."""

LONGEST_HOLD_SECONDS = 5.0

TURNED_AWAY_A_SECOND = 200
"""How many are told that they are turned away, however many more ask: the more of them wait, the longer each does. A
crowd would otherwise take all of a process just by being refused."""

MOST_HELD = 10_000
"""As many as there may be connections: one that waits costs little more memory than its connection does."""


TIMED = "whyleft.timed"
"""An extension of a request's scope: its listener cuts it when it takes too long to arrive; nobody else need watch."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What a listener puts up with. ``seconds``: a request must have arrived whole after so many; ``each``:
    connections of one address; ``all``: connections of everybody. 0 is no limit. ``clients``: whose addresses count.
    """

    seconds: float = 20.0
    each: int = 256
    all: int = 10_000
    clients: Clients = field(default_factory=lambda: Clients(""))


class Traffic:
    """The buckets and seats of one process. Rates are requests a second, 0 for no limit."""

    def __init__(
        self,
        *,
        trusted_proxies: str = "",
        address_rate: float = 0.0,
        key_rate: float = 0.0,
        operation_rate: float = 0.0,
        burst_seconds: float = 5.0,
        at_once: int = 0,
        request_seconds: float = 20.0,
        connections_each: int = 256,
        connections_all: int = 10_000,
    ) -> None:
        self.clients = Clients(trusted_proxies)
        self.seats = Seats(at_once)
        self.connections = ConnectionLimits(request_seconds, connections_each, connections_all, self.clients)
        self.turned_away = 0
        self._addresses = Buckets(address_rate, burst_seconds)
        self._events = Buckets(key_rate, burst_seconds)
        self._operations = Buckets(operation_rate, burst_seconds)
        self._held = 0
        self._told = False

    def admit(self, client: Client) -> None:
        """Counts a request of an address. Raises TooMany."""
        if client.holder is not None and (wait := self._addresses.take(client.holder)):
            raise self._too_many("This address sends too many requests", wait)

    def not_believed(self, client: Client) -> None:
        """Says once that a request was turned away which named another address than its connection's own."""
        if not self._told:
            self._told = True
            log.warning(
                "address_limited_behind_a_proxy",
                network=truncated(client.address),
                advice="if this is your own balancer, add it to WHYLEFT_TRUSTED_PROXIES",
            )

    def admit_events(self, key: str) -> None:
        """Counts a request to the events endpoint. Raises TooMany."""
        if wait := self._events.take(key):
            raise self._too_many("This key sends too many requests. Put more events into each", wait)

    def admit_operation(self, key: str) -> None:
        """Counts a request to any other operation. Raises TooMany."""
        if wait := self._operations.take(key):
            raise self._too_many("This key sends too many requests", wait)

    def wrong_key(self, client: Client) -> None:
        """Counts a key that was not accepted: whoever guesses is soon turned away."""
        if client.holder is not None:
            self._addresses.charge(client.holder, WRONG_KEY_COSTS)

    async def hold(self) -> None:
        """Lets whoever is turned away wait a moment: a loop that asks again at once is slowed to a trickle.

        Past so many that wait, nobody is held: waiting costs memory.
        """
        if self._held >= MOST_HELD:
            return
        self._held += 1
        try:
            await asyncio.sleep(hold_of(self._held) * random.uniform(0.5, 1.5))  # noqa: S311  no secret
        finally:
            self._held -= 1

    def _too_many(self, what: str, wait: float) -> TooMany:
        self.turned_away += 1
        seconds = max(1, math.ceil(wait))
        return TooMany(f"{what}. Send the same request again after {seconds} s.", retry_after=seconds)


def hold_of(held: int) -> float:
    """Seconds, more or less, that one of so many who are turned away waits to be told."""
    return min(max(HOLD_SECONDS, held / TURNED_AWAY_A_SECOND), LONGEST_HOLD_SECONDS)
