"""A channel that cannot be opened now: whatever it is handed waits until somebody mended it, and nothing is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from adapters.channels.contract import (
    UNLIMITED,
    Accepted,
    Callback,
    NotFound,
    ProviderEvent,
    Rate,
    Result,
    Retry,
    SendIntent,
    Unsupported,
    no_callbacks,
)
from adapters.channels.erasing import Erased, Named

PAUSE: Final = timedelta(minutes=15)


class Unopened:
    """``why`` says what to mend."""

    idempotency: Final = "none"
    key_ttl: Final = None
    rate: Final[Rate] = UNLIMITED

    def __init__(self, name: str, id: UUID, why: str) -> None:
        self.name = name
        self.id = id
        self._why = why

    async def send(self, intent: SendIntent) -> Result:
        return Retry(self._why, after=PAUSE)

    async def erase(self, person: Named) -> Erased:
        return Retry(self._why, after=PAUSE)

    async def lookup(self, key: str) -> Accepted | NotFound | Unsupported:
        return Unsupported()

    async def parse_callback(self, call: Callback) -> list[ProviderEvent]:
        return await no_callbacks(call)
