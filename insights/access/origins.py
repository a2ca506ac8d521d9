"""Reads an origin as browsers send it: scheme, host in punycode, and the port where it is another than the usual."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from adapters.channels.domain import in_the_dns
from insights.errors import Refused

_USUAL: Final = {"http": 80, "https": 443}


def origin_of(text: str) -> str:
    """The origin that ``text`` names. Raises Refused."""
    # Pages in a sandbox (Shopify's pixels) say "null" of themselves.
    if text in ("*", "null"):
        return text
    if "*" in text:
        raise Refused(f"origin {text!r} has a *: name each host by itself, or * alone for any page.", field="origin")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
        # Of one with colons nothing is a domain.
        name = f"[{host}]" if host and ":" in host else in_the_dns(host or "")
    except ValueError:
        name, port, parts = "", None, urlsplit("")
    if (
        parts.scheme not in _USUAL
        or not name
        or parts.path not in ("", "/")
        or parts.query
        or "@" in text
        or not text.isprintable()
    ):
        raise Refused(f"origin {text!r} is not an origin: write https://shop.example, without a path.", field="origin")
    usual = port is None or port == _USUAL[parts.scheme]
    return f"{parts.scheme}://{name}{'' if usual else f':{port}'}"
