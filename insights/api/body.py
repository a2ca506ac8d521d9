"""Reads a request's body up to a limit, before and after decompression."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from insights.errors import Refused, TooLarge, TooSlow

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_WINDOW = {b"gzip": 31, b"deflate": 15}


class ClientGone(Exception):
    """The client hung up before its request was whole."""


async def read_body(receive: Receive, headers: dict[bytes, bytes], limit: int, seconds: float = 0.0) -> bytes:
    """The body, decompressed, which must have arrived within ``seconds`` (0: however long it takes).

    Raises TooLarge past ``limit`` bytes, TooSlow, ClientGone, Refused for a broken or unknown compression.
    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    body = await (_in_time(receive, limit, seconds) if seconds else _whole(receive, limit))
    if len(body) > limit:
        raise _too_large(limit)
    encoding = headers.get(b"content-encoding")
    return body if encoding is None or encoding == b"identity" else _inflate(body, encoding, limit)


async def _in_time(receive: Receive, limit: int, seconds: float) -> bytes:
    try:
        async with asyncio.timeout(seconds):
            return await _whole(receive, limit)
    except TimeoutError:
        raise TooSlow("The body did not arrive in time. Nothing was stored; send the same request again.") from None


async def _whole(receive: Receive, limit: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientGone
    if not message.get("more_body"):
        return body
    parts = [body]
    size = len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
    return b"".join(parts)


def _inflate(body: bytes, encoding: bytes, limit: int) -> bytes:
    window = _WINDOW.get(encoding.strip().lower())
    if window is None:
        name = encoding.decode("latin-1")[:40]
        raise Refused(
            f"content-encoding: {name!r} is not supported; send gzip, deflate or none.", field="content-encoding"
        )
    inflater = zlib.decompressobj(window)
    try:
        # One byte more than allowed is enough to know; the rest of a bomb is never unpacked.
        plain = inflater.decompress(body, limit + 1)
    except zlib.error:
        raise Refused(
            "The body is not valid gzip although content-encoding says so.", field="content-encoding"
        ) from None
    if len(plain) > limit:
        raise _too_large(limit)
    if not inflater.eof:
        raise Refused("The compressed body ends too early.", field="content-encoding")
    return plain


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes. Send fewer events at a time.")
