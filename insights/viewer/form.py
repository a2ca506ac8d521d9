"""Reads a posted form: url-encoded, small, UTF-8."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_BYTES = 16_384


async def read_form(request: Request, most: int = MAX_BYTES) -> dict[str, str]:
    """Name → value, the last of each name. Raises HTTPException 413 past ``most`` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise HTTPException(413, "The form is too large. A key has fewer than 100 characters: paste only the key.")
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
