"""Identifiers: what a valid id is, and the day hidden in a session id.

A session id is a UUIDv7 (RFC 9562): its first 48 bits are epoch milliseconds, so the day of a session can be read
from its id and ids sort by time.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from datetime import UTC, date, datetime
from uuid import UUID

IdNumber = int
"""The number that an id is, ``id.int``. What every request looks up is kept by it: to hash a UUID is a call of
Python's, and to compare it with an equal one is another."""

_EPOCH = date(1970, 1, 1)
_DAY_MS = 86_400_000


def uuid7(at_ms: int | None = None) -> UUID:
    """A fresh UUIDv7 at ``at_ms`` (epoch milliseconds; now when omitted)."""
    ms = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    return _pack(ms, secrets.randbits(74))


def uuid7_from_key(at_ms: int, key: str) -> UUID:
    """The one UUIDv7 at ``at_ms`` that belongs to ``key``: the same arguments always give the same id.

    Imports use it, so that reading a file twice stores its events once.
    """
    digest = int.from_bytes(hashlib.sha256(key.encode()).digest()[:10], "big")
    return _pack(at_ms, digest & ((1 << 74) - 1))


def is_uuid7(value: UUID) -> bool:
    """True for RFC 9562 version 7, variant 10."""
    number = value.int
    return number >> 76 & 0xF == 7 and number >> 62 & 0b11 == 0b10


def uuid7_ms(value: UUID) -> int:
    """Epoch milliseconds written in a UUIDv7."""
    return value.int >> 80


def first_uuid_of_day(day: date) -> UUID:
    """The smallest UUID whose leading 48 bits fall on ``day`` (UTC): the lower bound of that day's partition."""
    return UUID(int=((day - _EPOCH).days * _DAY_MS) << 80)


def ms_to_datetime(ms: int) -> datetime:
    """Epoch milliseconds as an aware UTC datetime."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def _pack(ms: int, random74: int) -> UUID:
    value = (ms & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76
    value |= (random74 >> 62) << 64
    value |= 0b10 << 62
    value |= random74 & ((1 << 62) - 1)
    return UUID(int=value)
