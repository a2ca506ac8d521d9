"""Decides who must wait before the next login: each wrong one doubles the wait, for the account and for the address.

Attempts are counted before they are looked at, in PostgreSQL: so many at once, over so many processes, do not get more
guesses than one after the other. An account that does not exist is counted like one that does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import case, delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from adapters.postgres.engine import Database
from insights.errors import TooMany
from insights.models import LoginThrottle

FORGOTTEN_AFTER: Final = timedelta(hours=1)
LONGEST_WAIT: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Something whose attempts are counted together. The first ``free`` wrong ones cost no wait."""

    kind: str
    name: str
    free: int

    @property
    def key(self) -> bytes:
        """What is stored: it names nobody."""
        return hashlib.sha256(f"{self.kind}\n{self.name}".encode("utf-8", "replace")).digest()


def account(name: str) -> Bucket:
    """An account, whether there is one of this name or not."""
    return Bucket("account", name, 4)


def address(holder: str) -> Bucket:
    """An address: many people may be behind it."""
    return Bucket("address", holder, 20)


class LoginThrottles:
    """Counts attempts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, buckets: Sequence[Bucket], now: datetime) -> None:
        """Counts an attempt. Raises TooMany, with the seconds to wait, while any of the buckets must.

        What is refused is counted nowhere: an address that must wait makes no account wait.
        """
        refused: datetime | None = None
        async with self._database.transaction(None) as tx:
            # In one order, so that two attempts do not wait for each other in a circle.
            for bucket in sorted(buckets, key=lambda one: one.key):
                stale = LoginThrottle.last_at < now - FORGOTTEN_AFTER
                failures = case((stale, 1), else_=LoginThrottle.failures + 1)
                seconds = func.least(LONGEST_WAIT.total_seconds(), func.pow(2, func.least(failures - bucket.free, 30)))
                wait = case((failures > bucket.free, func.make_interval(0, 0, 0, 0, 0, 0, seconds)), else_=timedelta(0))
                done = await tx.scalar(
                    upsert(LoginThrottle)
                    .values(bucket=bucket.key, failures=1, last_at=now, blocked_until=now)
                    .on_conflict_do_update(
                        index_elements=["bucket"],
                        set_={"failures": failures, "last_at": now, "blocked_until": now + wait},
                        where=LoginThrottle.blocked_until <= now,
                    )
                    .returning(LoginThrottle.failures)
                )
                if done is None:
                    until = await tx.scalar(
                        select(LoginThrottle.blocked_until).where(LoginThrottle.bucket == bucket.key)
                    )
                    refused = max(refused or now, until or now)
            if refused is not None:  # within the transaction, which takes back what was counted of the others
                seconds_left = max(1, int((refused - now).total_seconds()) + 1)
                raise TooMany(f"Too many attempts. Try again in {_in_words(seconds_left)}.", retry_after=seconds_left)

    async def succeeded(self, buckets: Sequence[Bucket]) -> None:
        """The attempt was a good one: its account starts anew, its address gets this one back."""
        async with self._database.transaction(None) as tx:
            for bucket in sorted(buckets, key=lambda one: one.key):
                if bucket.kind == "account":
                    await tx.execute(delete(LoginThrottle).where(LoginThrottle.bucket == bucket.key))
                else:
                    row = await tx.get(LoginThrottle, bucket.key, with_for_update=True)
                    if row is not None:
                        row.failures = max(0, row.failures - 1)

    async def forget_old(self, now: datetime) -> None:
        """Deletes what counts no more."""
        async with self._database.transaction(None) as tx:
            await tx.execute(delete(LoginThrottle).where(LoginThrottle.last_at < now - FORGOTTEN_AFTER))


def _in_words(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} second{'' if seconds == 1 else 's'}"
    minutes = -(-seconds // 60)
    return f"{minutes} minute{'' if minutes == 1 else 's'}"
