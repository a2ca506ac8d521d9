"""What a process lets anybody take of it: one object that the doors ask."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field

import structlog

from insights.errors import TooMany
from insights.traffic.addresses import Client, Clients, truncated
from insights.traffic.buckets import Buckets
from insights.traffic.holds import Holds
from insights.traffic.seats import Seats

log = structlog.get_logger()

WRONG_KEY_COSTS = 20.0
"""Requests that a wrong key counts for: keys are not guessed quickly."""

PART = 32_768
"""Bytes of a body, unpacked, for which its request counts once: a kilobyte may unpack to what takes long to read."""

LATELY = 1.0
"""Seconds after one was turned away for which others are asked about before they are begun."""

TIMED = "whyleft.timed"
"""An extension of a request's scope: its listener cuts it when it takes too long to arrive; nobody else need watch."""

WEIGH = "whyleft.weigh"
"""Where a request's scope has what is to be told the size of a body that is unpacked further in."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What a listener puts up with. ``seconds``: a request must have arrived whole after so many; ``each``:
    connections of one address; ``all``: connections of everybody. 0 is no limit. ``clients``: whose addresses count.
    ``holds``: who of them waits to be told that they were turned away.
    """

    seconds: float = 20.0
    each: int = 256
    all: int = 10_000
    clients: Clients = field(default_factory=lambda: Clients(""))
    holds: Holds = field(default_factory=Holds)


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
        self.holds = Holds()
        self.connections = ConnectionLimits(
            request_seconds, connections_each, connections_all, self.clients, self.holds
        )
        self.turned_away = 0
        self._addresses = Buckets(address_rate, burst_seconds)
        self._events = Buckets(key_rate, burst_seconds)
        self._operations = Buckets(operation_rate, burst_seconds)
        self._turning_away_until = 0.0
        self._told = False

    @property
    def turns_away(self) -> bool:
        """Whether somebody was turned away lately: while nobody is, there is no need to ask who would be."""
        return time.monotonic() < self._turning_away_until

    def admit(self, client: Client, *, counts: bool = True) -> None:
        """Counts a request of an address. Raises TooMany. ``counts``: False only asks, here and below."""
        if client.holder is not None and (wait := self._addresses.take(client.holder, counts=counts)):
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

    def admit_events(self, key: str, *, counts: bool = True) -> None:
        """Counts a request to the events endpoint. Raises TooMany."""
        if wait := self._events.take(key, counts=counts):
            raise self._too_many("This key sends too many requests. Put more events into each", wait)

    def admit_operation(self, key: str, *, counts: bool = True) -> None:
        """Counts a request to any other operation. Raises TooMany."""
        if wait := self._operations.take(key, counts=counts):
            raise self._too_many("This key sends too many requests", wait)

    def weigh(self, client: Client, size: int) -> None:
        """Counts a body of so many bytes, unpacked, for its address: as many requests as it has parts."""
        if size > PART and client.holder is not None:
            self._addresses.charge(client.holder, size // PART)

    def weigh_events(self, key: str, size: int) -> None:
        """Counts such a body to the events endpoint for its key."""
        if size > PART:
            self._events.charge(key, size // PART)

    def weigh_operation(self, key: str, size: int) -> None:
        """Counts such a body to any other operation for its key."""
        if size > PART:
            self._operations.charge(key, size // PART)

    def wrong_key(self, client: Client) -> None:
        """Counts a key that was not accepted: whoever guesses is soon turned away."""
        if client.holder is not None:
            self._addresses.charge(client.holder, WRONG_KEY_COSTS)

    async def hold(self) -> None:
        """Lets whoever is turned away wait a moment for it."""
        try:
            await asyncio.sleep(self.holds.begin())
        finally:
            self.holds.end()

    def _too_many(self, what: str, wait: float) -> TooMany:
        self.turned_away += 1
        self._turning_away_until = time.monotonic() + LATELY
        seconds = max(1, math.ceil(wait))
        return TooMany(f"{what}. Send the same request again after {seconds} s.", retry_after=seconds)
