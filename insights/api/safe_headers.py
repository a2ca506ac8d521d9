"""Which headers keep browsers from making more of an answer than it is."""

from __future__ import annotations

from typing import Final

Header = tuple[bytes, bytes]

SAFE: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
)
"""For answers that say nothing of their own: data, not pages. Pages allow themselves what they need."""

READABLE: Final[tuple[Header, ...]] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"retry-after"),
)
"""For refusals of what pages send: one that could not read that its key or origin is refused would take it for a server
that is away and come again; one that is told to wait must know for how long. They say nothing that is not for all."""

NOT_KEPT: Final[Header] = (b"cache-control", b"no-store")
"""For whatever a secret key opens: no cache on the way, nor the caller's own, may keep it."""

HSTS: Final[Header] = (b"strict-transport-security", b"max-age=31536000")
