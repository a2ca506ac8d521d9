"""An answer of the events endpoint, and how it leaves: in one piece where the server can, else as ASGI's two messages.

A server looks at each header of each answer anew before it writes it. Those of the events endpoint are nearly always
the same: their bytes are made once and handed over with the body, in one call instead of two.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from msgspec import Struct

from insights.api.safe_headers import Header

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

WHOLE: Final = "whyleft.whole"
"""An extension of a request's scope. Its value takes an answer's head, up to the server's own headers, and its body,
and sends them; or it sends nothing and returns False."""

_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search


class Answer(Struct, frozen=True):
    """A whole HTTP response. ``headers``: without its length."""

    status: int
    headers: tuple[Header, ...]
    body: bytes = b""

    async def leave(self, scope: Scope, send: Send) -> None:
        """Sends it in answer to the request of ``scope``."""
        # With its length said, it need not go out in chunks.
        length = b"%d" % len(self.body)
        whole = scope.get("extensions", {}).get(WHOLE)
        if whole is not None and self.body and whole(_head(self.status, self.headers) + length + b"\r\n", self.body):
            return
        headers = [*self.headers, (b"content-length", length)] if self.body else list(self.headers)
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


@lru_cache(maxsize=256)
def _head(status: int, headers: tuple[Header, ...]) -> bytes:
    """Status line and headers, up to the number of the content's length."""
    for _, value in headers:
        if _CONTROL(value):
            raise ValueError("a header's value holds a control character")
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    return b"HTTP/1.1 %d %b\r\n%bcontent-length: " % (status, HTTPStatus(status).phrase.encode(), lines)
