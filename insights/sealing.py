"""Seals secrets that must be read again: what lies in the database is worth nothing without the server's own keys.

AES-256-GCM. Each key is derived by HKDF (RFC 5869) for this purpose alone, and a sealed secret opens only for the
purpose, the project and the thing that it was sealed for. Several keys may be in force: the newest seals, all open, and
a sealed secret names its key, so that keys change while processes run.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from insights.errors import WhyleftError
from insights.settings import SettingInvalid

_FORM: Final = b"\x02"
_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_HEAD: Final = len(_FORM) + _ID_BYTES
SHORTEST_KEY: Final = 32


class Purpose(StrEnum):
    """What a secret is sealed for. Its word is bound into what was sealed: another word opens none of it."""

    CHANNEL = "channel"
    SUBSCRIPTION = "subscription"
    WEBHOOK_SOURCE = "webhook source"
    IDENTITY = "identity secret"
    MODEL_KEY = "model key"


class CannotOpen(WhyleftError):
    """None of the server's keys is the one that this was sealed with."""

    status = 503
    title = "A stored secret cannot be read"


class SealedOtherwise(WhyleftError):
    """What is sealed in this database cannot be opened, or not be found, with the keys of this server."""

    status = 503
    title = "This database was sealed with another key"


@dataclass(frozen=True, slots=True)
class _Key:
    id: bytes
    cipher: AESGCM = field(repr=False)


class Sealer:
    """``keys``: the server's keys, newest first, at least one. ``again`` reads them anew: it is asked when something
    was sealed with a key that is not among them."""

    def __init__(self, keys: Sequence[bytes], again: Callable[[], Sequence[bytes]] | None = None) -> None:
        self._keys = _derived(keys)
        self._again = again

    def seal(self, secret: str, purpose: Purpose, project_id: UUID, owner_id: UUID) -> bytes:
        """``secret`` sealed by the newest key, for one purpose and one owner within one project."""
        key = next(iter(self._keys.values()))
        nonce = secrets.token_bytes(_NONCE_BYTES)
        bound = _bound(purpose, project_id, owner_id)
        return _FORM + key.id + nonce + key.cipher.encrypt(nonce, secret.encode(), bound)

    def open(self, sealed: bytes, purpose: Purpose, project_id: UUID, owner_id: UUID) -> str:
        """The secret. Raises CannotOpen."""
        key = self._key_of(sealed)
        nonce, rest = sealed[_HEAD : _HEAD + _NONCE_BYTES], sealed[_HEAD + _NONCE_BYTES :]
        if key is not None:
            try:
                return key.cipher.decrypt(nonce, rest, _bound(purpose, project_id, owner_id)).decode()
            except (InvalidTag, ValueError):
                pass
        raise CannotOpen(
            "This secret was sealed with a key that this server does not have. Add that key to WHYLEFT_SEALING_KEYS "
            "(or set the same WHYLEFT_SECRET again), or enter the secret anew."
        )

    def is_newest(self, sealed: bytes) -> bool:
        """Whether the newest key sealed it."""
        return sealed[len(_FORM) : _HEAD] == next(iter(self._keys))

    def key(self, sealed: bytes) -> str:
        """The name of the key that sealed it."""
        return sealed[len(_FORM) : _HEAD].hex()

    def knows(self, sealed: bytes) -> bool:
        """Whether there is the key that sealed it."""
        return self._key_of(sealed) is not None

    def _key_of(self, sealed: bytes) -> _Key | None:
        if not sealed.startswith(_FORM):
            return None
        identifier = sealed[len(_FORM) : _HEAD]
        if identifier not in self._keys and self._again is not None:
            self._keys = _derived(self._again())
        return self._keys.get(identifier)


def key_source(listed: str, file: str, server_secret: bytes) -> Callable[[], list[bytes]]:
    """Reads the keys in force, newest first: those ``listed`` (commas between), or the lines of ``file``; the server's
    own secret always opens last, so that keys can be introduced. Raises SettingInvalid, also when it is called."""
    if listed and file:
        raise SettingInvalid("WHYLEFT_SEALING_KEYS and WHYLEFT_SEALING_KEYS_FILE are both set: keep one of them.")

    def read() -> list[bytes]:
        texts = _lines(file) if file else listed.split(",")
        keys = [text.strip() for text in texts if text.strip()]
        name = "WHYLEFT_SEALING_KEYS_FILE" if file else "WHYLEFT_SEALING_KEYS"
        if file and not keys:
            raise SettingInvalid(f"{name}: the file holds no key; write one on a line of its own, newest first.")
        for number, key in enumerate(keys, 1):
            if len(key) < SHORTEST_KEY:
                raise SettingInvalid(
                    f"{name}: key {number} is shorter than {SHORTEST_KEY} characters: use `openssl rand -hex 32`."
                )
        return [*(key.encode() for key in keys), server_secret]

    read()
    return read


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeError) as error:
        raise SettingInvalid(f"WHYLEFT_SEALING_KEYS_FILE cannot be read ({type(error).__name__}).") from None


def _derived(keys: Sequence[bytes]) -> dict[bytes, _Key]:
    found: dict[bytes, _Key] = {}
    for key in keys:
        made = HKDF(SHA256(), 32 + _ID_BYTES, salt=None, info=b"whyleft sealed secrets 2").derive(key)
        found.setdefault(made[32:], _Key(made[32:], AESGCM(made[:32])))
    return found


def _bound(purpose: Purpose, project_id: UUID, owner_id: UUID) -> bytes:
    return purpose.encode() + b"\0" + project_id.bytes + owner_id.bytes
