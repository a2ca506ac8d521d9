"""What is said to a request that is refused before the application begins it, and who may say so."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable


class Refusal(NamedTuple):
    """An answer of 429. ``retry_after``: seconds, as its headers say.

    ``alone``: the connection is the client's own: what comes over it next comes from whoever was told this.
    """

    headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    retry_after: int
    alone: bool


@runtime_checkable
class Guarded(Protocol):
    """An application that knows of some requests beforehand that it will turn them away.

    To begin a request costs many times what it takes to see that; a crowd is refused without.
    """

    def refusal_of(self, scope: MutableMapping[str, Any]) -> Refusal | None:
        """The answer to the request of an ASGI scope; None where the application has to be asked."""
