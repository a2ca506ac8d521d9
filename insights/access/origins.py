"""Reads an origin as browsers send it: scheme, host and port."""

from __future__ import annotations

from urllib.parse import urlsplit

from insights.errors import Refused


def origin_of(text: str) -> str:
    """The origin that ``text`` names. Raises Refused."""
    # Pages in a sandbox (Shopify's pixels) say "null" of themselves.
    if text in ("*", "null"):
        return text
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if (
        parts.scheme not in ("http", "https")
        or not host
        or parts.path not in ("", "/")
        or parts.query
        or "@" in text
        or not text.isprintable()
    ):
        raise Refused(f"origin {text!r} is not an origin: write https://shop.example, without a path.", field="origin")
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}{f':{port}' if port else ''}"
