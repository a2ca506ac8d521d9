"""Who may look: a secret key becomes a signed cookie that expires, and forms carry proof that they are ours.

Pure except for the clock that is handed in. The cookie holds no key: it names the key's row, which is looked up on
every page, so that a revoked key ends its logins.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

LIFETIME = timedelta(hours=12)
_VERSION = "1"


class ResolvedKey(Protocol):
    """What a key stands for. ``kind`` is "write" or "secret"."""

    @property
    def project_id(self) -> UUID: ...

    @property
    def project_name(self) -> str: ...

    @property
    def kind(self) -> str: ...


class ResolveKey(Protocol):
    """Looks a key up; None when it is unknown or revoked."""

    def __call__(self, key: str, /) -> Awaitable[ResolvedKey | None]: ...


@dataclass(frozen=True, slots=True)
class Login:
    """A login by one key, until ``expires_at``."""

    project_id: UUID
    key_id: UUID
    expires_at: datetime


class Signer:
    """Signs and checks cookies and form tokens. Each use has a key of its own, derived from the server's secret."""

    def __init__(self, secret: bytes, clock: Callable[[], datetime]) -> None:
        self._cookie_key = hmac.digest(secret, b"whyleft viewer cookie", "sha256")
        self._form_key = hmac.digest(secret, b"whyleft viewer form", "sha256")
        self._clock = clock

    def cookie(self, project_id: UUID, key_id: UUID) -> str:
        """A fresh login's cookie."""
        expires = int((self._clock() + LIFETIME).timestamp())
        claim = {"p": project_id.hex, "k": key_id.hex, "e": expires, "n": secrets.token_hex(8)}
        body = _VERSION + "." + _encode(json.dumps(claim, separators=(",", ":")).encode())
        return body + "." + _encode(hmac.digest(self._cookie_key, body.encode(), "sha256"))

    def login(self, cookie: str) -> Login | None:
        """The login a cookie stands for; None when it is not ours, was changed, or is over."""
        body, _, signature = cookie.rpartition(".")
        version, _, claim = body.partition(".")
        expected = _encode(hmac.digest(self._cookie_key, body.encode(), "sha256"))
        if version != _VERSION or not hmac.compare_digest(signature.encode(), expected.encode()):
            return None
        values = json.loads(base64.urlsafe_b64decode(claim + "=" * (-len(claim) % 4)))
        expires = datetime.fromtimestamp(values["e"], self._clock().tzinfo)
        if expires <= self._clock():
            return None
        return Login(UUID(values["p"]), UUID(values["k"]), expires)

    def form_token(self, purpose: str, holder: str) -> str:
        """Proof that a form for ``purpose`` was served to the browser that holds ``holder`` in a cookie."""
        return _encode(hmac.digest(self._form_key, f"{purpose}\n{holder}".encode(), "sha256"))

    def form_is_ours(self, purpose: str, holder: str, token: str) -> bool:
        """Whether ``token`` is that proof."""
        return bool(holder) and hmac.compare_digest(self.form_token(purpose, holder).encode(), token.encode())


def key_hash(key: str) -> bytes:
    """A key as it is stored."""
    return hashlib.sha256(key.encode()).digest()


def inside(target: str, root: str) -> str | None:
    """``target`` if it is a page of the viewer, so that a login leads nowhere else; None otherwise.

    ``root`` is the viewer's own path without a slash at its end.
    """
    plain = all(32 < ord(c) < 127 and c != "\\" for c in target)
    return target if plain and (target.startswith(root + "/")) and not target.startswith("//") else None


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
