"""A channel that keeps what it is given and answers as it is told: for tests and dry runs.

It behaves like a provider of its idempotency: one that drops repeats by key or by nature delivers one copy, one that
does not delivers each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from adapters.channels.contract import (
    UNLIMITED,
    Accepted,
    Callback,
    Idempotency,
    NotFound,
    ProviderEvent,
    Rate,
    Rejected,
    Result,
    Retry,
    SendIntent,
    Suppress,
    Unsupported,
    no_callbacks,
)


class RecordingChannel:
    """``intents``: all it was asked to send, in order. ``delivered``: what arrived. ``results`` are given out first."""

    def __init__(
        self,
        name: str = "email",
        *,
        idempotency: Idempotency = "none",
        key_ttl: timedelta | None = None,
        id: UUID | None = None,
        rate: Rate = UNLIMITED,
        results: Iterable[Result] = (),
    ) -> None:
        self.name = name
        self.id = id
        self.rate = rate
        self.idempotency: Idempotency = idempotency
        self.key_ttl = key_ttl
        self.intents: list[SendIntent] = []
        self.delivered: list[SendIntent] = []
        self.results: deque[Result] = deque(results)

    async def send(self, intent: SendIntent) -> Result:
        self.intents.append(intent)
        result = self.results.popleft() if self.results else Accepted(f"recorded-{len(self.intents)}")
        # Unknown arrived too: the copy that nobody heard of is the one that a repeat would double.
        refused = isinstance(result, Retry | Rejected | Suppress)
        if not refused and (self.idempotency == "none" or not self._has(intent.key)):
            self.delivered.append(intent)
        return result

    async def lookup(self, key: str) -> Accepted | NotFound | Unsupported:
        if self.idempotency != "lookup":
            return Unsupported()
        return Accepted() if self._has(key) else NotFound()

    async def parse_callback(self, call: Callback) -> list[ProviderEvent]:
        return await no_callbacks(call)

    def _has(self, key: str) -> bool:
        return any(intent.key == key for intent in self.delivered)
