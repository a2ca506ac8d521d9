"""Which headers keep browsers from making more of an answer than it is."""

from __future__ import annotations

import base64
import hashlib
import re
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

NOT_KEPT: Final[Header] = (b"cache-control", b"no-store")
"""For whatever a secret key opens: no cache on the way, nor the caller's own, may keep it."""

HSTS: Final[Header] = (b"strict-transport-security", b"max-age=31536000")

_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_SOURCES = re.compile(r'(?:src|href)="(https://[^/"]+)')


def policy_of_documentation(page: str) -> str:
    """The content policy of FastAPI's page about the operations: its own inline script by its hash, no other."""
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in _INLINE.findall(page)
    ]
    hosts = sorted(set(_SOURCES.findall(page)))
    return (
        f"default-src 'none'; script-src {' '.join([*hosts, *hashes])}; "
        f"style-src {' '.join(hosts)} 'unsafe-inline'; img-src {' '.join(hosts)} data:; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
