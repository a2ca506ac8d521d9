"""What a ticket channel can do besides opening tickets: say whether one is still open."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from adapters.channels.contract import Idempotency
from adapters.channels.http_channel import C, HttpChannel, S


class Tracker(HttpChannel[S, C]):
    """Opens, comments on and closes tickets; the marker in a ticket is looked up before a repeat."""

    word = "ticket"
    idempotency: ClassVar[Idempotency] = "lookup"
    sample: ClassVar[Mapping[str, Any]] = {
        "title": "A test of this channel",
        "what": "You sent it yourself. Close it.",
        "fingerprint": "test",
    }
    says_when_closing: ClassVar[bool] = False
    """Whether closing writes its comment by itself."""
    by_hand: ClassVar[str] = (
        "Tickets tell of errors, not of people, so nothing was asked for: should somebody have written a name "
        "or address into one, search the tracker for it."
    )

    @abstractmethod
    async def is_open(self, ticket: str) -> bool | None:
        """Whether the ticket is open; None when nobody can say (the tracker is away, the ticket is gone)."""
