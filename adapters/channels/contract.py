"""The contract of a channel: what it is handed, what it may answer, and what a repeat does at the provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol

Idempotency = Literal["key", "natural", "lookup", "none"]
"""What the provider does with a second copy: drops it by key, by its nature, can be asked for it, or delivers it."""


@dataclass(frozen=True, slots=True)
class SendIntent:
    """One thing to send. ``key`` is stable over every attempt; ``content`` is what this channel's page documents."""

    key: str
    recipient: str | None
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took it. ``provider_id`` is the provider's own name for it, where there is one."""

    provider_id: str | None = None


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


class Channel(Protocol):
    """A way out. ``send`` raises nothing for what a provider does: every answer is one of the results."""

    @property
    def name(self) -> str:
        """The channel's word: email, webhook, ticket, …"""

    @property
    def idempotency(self) -> Idempotency: ...

    @property
    def key_ttl(self) -> timedelta | None:
        """How long the provider remembers a key; past it a repeat is a new message."""

    async def send(self, intent: SendIntent) -> Result: ...

    async def lookup(self, key: str) -> Accepted | NotFound | Unsupported: ...
