"""Reads a posted form: url-encoded, small, UTF-8."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_BYTES = 16_384


async def read_form(request: Request, most: int = MAX_BYTES) -> dict[str, str]:
    """Name → value, the last of each name. What is no UTF-8, and NUL, which the database holds in no text, is replaced
    by U+FFFD. Raises HTTPException 413 past ``most`` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise HTTPException(413, "The form is too large. A key has fewer than 100 characters: paste only the key.")
    fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: value.replace("\x00", "\ufffd") for name, value in fields}
