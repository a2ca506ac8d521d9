"""The contract of a channel: what it is handed, what it may answer, what a repeat does, and what comes back later.

A channel is bound: its settings and credentials were given when it was made from a row or from the environment, so
whoever sends handles no secret. Changed credentials make a new channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol
from uuid import UUID

Idempotency = Literal["key", "natural", "lookup", "none"]
"""What the provider does with a second copy: drops it by key, by its nature, can be asked for it, or delivers it."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a provider takes: ``per_second`` on average, ``burst`` at once."""

    per_second: float
    burst: int


UNLIMITED: Final = Rate(10_000.0, 10_000)


@dataclass(frozen=True, slots=True)
class SendIntent:
    """One thing to send. ``key`` is stable over every attempt; ``content`` is what this channel's page documents."""

    key: str
    recipient: str | None
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took it. ``provider_id`` is its own name for it, ``detail`` what it said besides (3 segments)."""

    provider_id: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """It certainly did not go out and may later. ``after`` is the provider's own wish."""

    why: str
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """It certainly did not go out and never will as it is; ``why`` says what to do."""

    why: str


@dataclass(frozen=True, slots=True)
class Suppress:
    """It did not go out, and nothing should go to this recipient on this channel again."""

    why: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can say whether it went out. Repeated only where a repeat is harmless."""

    why: str


Result = Accepted | Retry | Rejected | Suppress | Unknown


@dataclass(frozen=True, slots=True)
class NotFound:
    """The provider knows nothing under that key."""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """The provider cannot be asked."""


EventKind = Literal[
    "delivered", "deferred", "bounced", "rejected", "complained", "unsubscribed", "resubscribed", "opened", "clicked"
]
"""``bounced``: for good; ``deferred``: the provider goes on trying; ``rejected``: the provider gave up on this one,
which says nothing about the address."""


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """What a provider reports after a send. ``id`` is the provider's own and unique there: the same one counts once.

    ``key`` is the intent's key where the provider hands it back, ``provider_id`` what it answered to the send; one of
    them, or the ``recipient``, says whose event it is. ``detail``: the provider's reason, or the link that was clicked.
    """

    id: str
    kind: EventKind
    at: datetime
    key: str | None = None
    provider_id: str | None = None
    recipient: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Callback:
    """A provider's call as it came in. Header names are in lower case; ``url`` is the public one that it was told."""

    url: str
    headers: Mapping[str, str]
    raw: bytes
    at: datetime


class CallbackRefused(Exception):
    """The call is not from the provider, too old, or cannot be read; the message says what to check."""


class Channel(Protocol):
    """A way out. ``send`` raises nothing for what a provider does: every answer is one of the results."""

    @property
    def name(self) -> str:
        """The channel's word: email, sms, push, webhook, ticket, …: consent, suppression and caps go by it."""

    @property
    def id(self) -> UUID | None:
        """The project's channel that this is; None for one of the server's own, set by its environment."""

    @property
    def idempotency(self) -> Idempotency: ...

    @property
    def key_ttl(self) -> timedelta | None:
        """How long the provider remembers a key; past it a repeat is a new message."""

    @property
    def rate(self) -> Rate:
        """What the provider takes; all processes together hold to it."""

    async def send(self, intent: SendIntent) -> Result: ...

    async def lookup(self, key: str) -> Accepted | NotFound | Unsupported: ...

    async def parse_callback(self, call: Callback) -> list[ProviderEvent]:
        """What a provider's call reports; [] when it reports nothing of interest. Raises CallbackRefused."""
        ...


async def no_callbacks(call: Callback) -> list[ProviderEvent]:
    """For channels whose far side reports nothing. Raises CallbackRefused."""
    raise CallbackRefused("This channel takes no callbacks.")
