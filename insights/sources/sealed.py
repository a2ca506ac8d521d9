"""Seals secrets that must be read again: what lies in the database is worth nothing without the server's own secret.

AES-256-GCM. The key is derived from the server's secret by HKDF (RFC 5869) for this purpose alone; a sealed secret
opens only for the project and the thing it was sealed for.
"""

from __future__ import annotations

import secrets
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from insights.errors import WhyleftError

_PURPOSE: Final = b"whyleft sealed secrets 1"
_NONCE_BYTES: Final = 12


class CannotOpen(WhyleftError):
    """The server's own secret is not the one that this was sealed with."""

    status = 503
    title = "A stored secret cannot be read"


class Sealer:
    """Seals and opens with the server's secret."""

    def __init__(self, server_secret: bytes) -> None:
        self._cipher = AESGCM(HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(server_secret))

    def seal(self, secret: str, project_id: UUID, owner_id: UUID) -> bytes:
        """``secret`` sealed for one owner within one project."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), project_id.bytes + owner_id.bytes)

    def open(self, sealed: bytes, project_id: UUID, owner_id: UUID) -> str:
        """The secret. Raises CannotOpen."""
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, rest, project_id.bytes + owner_id.bytes).decode()
        except (InvalidTag, ValueError):
            raise CannotOpen(
                "This secret was sealed with another WHYLEFT_SECRET. Set that one again, or make the source anew."
            ) from None
