"""An answer of the events endpoint, and how it leaves: in one piece where the server can, else as ASGI's two messages.

A server looks at each header of each answer anew before it writes it. Those of the events endpoint are nearly always
the same: their bytes are made once and handed over with the body, in one call instead of two.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
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


class Head(Struct, frozen=True):
    """Status and headers of an answer, without its length; made by ``head_of``. ``start``: as they are sent, up to the
    number of the content's length."""

    status: int
    headers: tuple[Header, ...]
    start: bytes


def head_of(status: int, headers: tuple[Header, ...]) -> Head:
    """The head of an answer. Raises ValueError for a value that would begin another header."""
    for _, value in headers:
        if _CONTROL(value):
            raise ValueError("a header's value holds a control character")
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    start = b"HTTP/1.1 %d %b\r\n%bcontent-length: " % (status, HTTPStatus(status).phrase.encode(), lines)
    return Head(status, headers, start)


class Answer(Struct, frozen=True):
    """A whole HTTP response."""

    head: Head
    body: bytes = b""

    async def leave(self, scope: Scope, send: Send) -> None:
        """Sends it in answer to the request of ``scope``."""
        head, body = self.head, self.body
        # With its length said, it need not go out in chunks.
        length = b"%d" % len(body)
        whole = scope.get("extensions", {}).get(WHOLE)
        if whole is not None and body and whole(head.start + length + b"\r\n", body):
            return
        headers = [*head.headers, (b"content-length", length)] if body else list(head.headers)
        await send({"type": "http.response.start", "status": head.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
