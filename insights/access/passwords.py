"""Decides whether a password is the right one: argon2id, off the event loop, a few at a time.

Parameters are argon2-cffi's defaults, which follow RFC 9106; a hash of other parameters is made anew when its password
is next heard.
"""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHash

from insights.errors import Refused, TooMany

SHORTEST: Final = 12
LONGEST: Final = 200
AT_ONCE: Final = 2
"""Each takes 64 MiB and four threads for some 50 ms: more at once would starve the events."""
MOST_WAITING: Final = 100
"""Some three seconds' worth: who comes after them is sent away rather than kept."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``anew``: the hash to store instead, where the old one has parameters that are not ours any more."""

    right: bool
    anew: str | None = None


class Passwords:
    """Hashes and checks passwords."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._seats = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """What is stored. Raises Refused for a password that is too short or too long, TooMany."""
        password = spelled(password)
        check_length(password)
        async with self._turn():
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, stored: str | None, password: str) -> Verdict:
        """Whether ``password`` made ``stored``. For nobody (None) it takes as long and is wrong. Raises TooMany."""
        async with self._turn():
            return await asyncio.to_thread(self._verify, stored, spelled(password[: 4 * LONGEST])[: LONGEST + 1])

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= MOST_WAITING:
            raise TooMany("Too many people log in at this moment. Try again in 5 seconds.", retry_after=5)
        self._waiting += 1
        try:
            async with self._seats:
                yield
        finally:
            self._waiting -= 1

    def _verify(self, stored: str | None, password: str) -> Verdict:
        if stored is None:
            if self._nobodys is None:
                self._nobodys = self._hasher.hash(secrets.token_urlsafe(16))
            self._matches(self._nobodys, password)
            return Verdict(False)
        if not self._matches(stored, password):
            return Verdict(False)
        anew = self._hasher.hash(password) if self._hasher.check_needs_rehash(stored) else None
        return Verdict(True, anew)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (Argon2Error, InvalidHash, UnicodeError):
            return False


def spelled(password: str) -> str:
    """A password in one spelling: keyboards write ö as one letter or as two (Unicode NFC, as in RFC 8265, 4.2.2)."""
    return unicodedata.normalize("NFC", password)


def check_length(password: str) -> None:
    """Raises Refused."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused(
            f"password: choose {SHORTEST} to {LONGEST} characters; a sentence is a good one.", field="password"
        )
    try:
        password.encode()
    except UnicodeError:
        raise Refused("password: this cannot be written in UTF-8.", field="password") from None
