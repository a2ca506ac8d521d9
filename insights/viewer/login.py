"""Proves that forms are ours, and that a login leads nowhere else. Pure."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Awaitable
from typing import Protocol
from uuid import UUID


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


class Signer:
    """Signs and checks the tokens of forms, with a key derived from the server's secret."""

    def __init__(self, secret: bytes) -> None:
        self._form_key = hmac.digest(secret, b"whyleft viewer form", "sha256")

    def form_token(self, purpose: str, holder: str) -> str:
        """Proof that a form for ``purpose`` was served to the browser that holds ``holder`` in a cookie."""
        return _encode(hmac.digest(self._form_key, f"{purpose}\n{holder}".encode(), "sha256"))

    def form_is_ours(self, purpose: str, holder: str, token: str) -> bool:
        """Whether ``token`` is that proof."""
        return bool(holder) and hmac.compare_digest(self.form_token(purpose, holder).encode(), token.encode())


def inside(target: str, root: str) -> str | None:
    """``target`` if it is a page of the viewer, so that a login leads nowhere else; None otherwise.

    ``root`` is the viewer's own path without a slash at its end.
    """
    plain = all(32 < ord(c) < 127 and c != "\\" for c in target)
    ours = plain and target.startswith(root + "/") and not target.startswith("//")
    # Browsers walk up at dots: /app/../x is no page of the viewer. What they read as dots may be escaped.
    steps = re.split("[?#]", target, maxsplit=1)[0].lower().replace("%2e", ".").split("/")
    return target if ours and not {".", ".."} & set(steps) else None


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
