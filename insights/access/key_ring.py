"""Decides whose request it is: looks keys up by their hash, and remembers each answer until something changed."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.exc import DBAPIError

from adapters.postgres.engine import Database
from adapters.postgres.news import News
from insights.access.keys import KEYS_CHANNEL, PREFIXES, KeyKind, ResolvedKey, hash_of
from insights.access.operations import EVENTS_SCOPE
from insights.access.roles import Role
from insights.models import ApiKey, Project

GRACE: Final = 60.0
"""Seconds for which a good write key is used on while the database is away."""
USE_NOTED_EVERY: Final = timedelta(minutes=5)
"""How far behind "last used" may be: a write for every request would cost more than the request."""


class KeyRing:
    """Resolves keys, remembering each answer for ``ttl`` seconds, or until it hears that something changed.

    Once ``start``ed, it listens: a key that is revoked anywhere is refused here at once. While it cannot listen, a
    revoked key works for ``ttl`` seconds at most.

    Unknown keys are remembered too, so that a wrong key in a busy page costs no query a request. A write key that was
    good is used on while it is asked for again, for ``GRACE`` seconds at most: a page never waits for that, nor for a
    database that is away to be given up.
    """

    def __init__(
        self,
        database: Database,
        *,
        ttl: float = 10.0,
        size: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
        on_changed: Callable[[UUID | None], None] = lambda project_id: None,
    ) -> None:
        """``on_changed``: hears of each project that is not what it was; None: any may have changed."""
        self._database = database
        self._ttl = ttl
        self._size = size
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._asking: dict[str, asyncio.Task[ResolvedKey | None]] = {}
        self._noting: set[asyncio.Task[None]] = set()
        self._changes = 0
        self._on_changed = on_changed
        self._news = News(database.urls, KEYS_CHANNEL, self._heard)

    def start(self) -> None:
        """Listens from now on for what other processes change."""
        self._news.start()

    def at_hand(self, key: str) -> ResolvedKey | None:
        """What ``key`` stands for where that is known for sure now; where it is not, ask ``resolve``."""
        known = self._known.get(key)
        return known.key if known is not None and known.until > self._clock() else None

    async def resolve(self, key: str) -> ResolvedKey | None:
        """What ``key`` stands for; None when it is unknown or revoked."""
        known = self._known.get(key)
        if known is not None:
            now = self._clock()
            if known.until > now:
                return known.key
            if known.key is not None and known.at_most > now:
                self._ask(key)
                return known.key
        if not key.startswith(tuple(PREFIXES.values())) or len(key) >= 100:
            return None
        return await asyncio.shield(self._ask(key))

    async def close(self) -> None:
        """Listens no more, and waits for what is being asked and noted."""
        await self._news.stop()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
        await asyncio.gather(*self._noting, return_exceptions=True)

    def _heard(self, project_id: str | None) -> None:
        """Something changed in a project; None: anything may have."""
        self._changes += 1
        self._on_changed(None if project_id is None else UUID(project_id))
        if project_id is None:
            self._known.clear()
            return
        of_project = [
            key for key, known in self._known.items() if known.key and str(known.key.project_id) == project_id
        ]
        for key in of_project:
            del self._known[key]

    def _ask(self, key: str) -> asyncio.Task[ResolvedKey | None]:
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._refresh(key), name="key")
            task.add_done_callback(lambda done: self._asked(key, done))
        return task

    def _asked(self, key: str, done: asyncio.Task[ResolvedKey | None]) -> None:
        self._asking.pop(key, None)
        # Heard here too: whoever used the old answer meanwhile waits for nothing.
        if not done.cancelled():
            done.exception()

    async def _refresh(self, key: str) -> ResolvedKey | None:
        while True:
            before, asked_at = self._changes, self._clock()
            found = await self._look_up(key)
            if before == self._changes:
                break  # otherwise what was read may be older than the change that was heard of meanwhile
        now = self._clock()
        expires = math.inf if found is None or found.left is None else asked_at + found.left
        resolved = found.key if found is not None else None
        until = min(now + self._ttl, expires)
        graced = resolved is not None and resolved.kind == "write"
        self._known[key] = _Known(until, min(until + GRACE, expires) if graced else until, resolved)
        self._known.move_to_end(key)
        if len(self._known) > self._size:
            self._known.popitem(last=False)
        if found is not None and found.use_is_news:
            task = asyncio.create_task(self._note_use(found.key), name="key used")
            self._noting.add(task)
            task.add_done_callback(self._noting.discard)
        return resolved

    async def _look_up(self, key: str) -> _Found | None:
        hashed = hash_of(key)
        now = func.now()
        async with self._database.transaction(None) as tx:
            # The row-level-security policy shows this one row to whoever knows its hash.
            await tx.execute(text("SELECT set_config('whyleft.key_hash', :hash, true)"), {"hash": hashed.hex()})
            row = (
                await tx.execute(
                    select(
                        ApiKey.id,
                        ApiKey.project_id,
                        Project.name,
                        ApiKey.kind,
                        ApiKey.role,
                        ApiKey.scopes,
                        ApiKey.name,
                        ApiKey.prefix,
                        Project.allowed_origins,
                        func.extract("epoch", ApiKey.expires_at - now),
                        func.coalesce(ApiKey.last_used_at < now - USE_NOTED_EVERY, True),
                    )
                    .join(Project, Project.id == ApiKey.project_id)
                    .where(ApiKey.key_hash == hashed, ApiKey.revoked_at.is_(None), Project.archived_at.is_(None))
                    .where(or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now))
                )
            ).one_or_none()
        if row is None:
            return None
        identifier, project_id, project, kind_, role_, scopes, name, prefix, origins, left, use_is_news = row
        kind: KeyKind = "write" if kind_ == "write" else "secret"
        role = None if role_ is None else Role(role_)
        resolved = ResolvedKey(
            identifier,
            project_id,
            project,
            kind,
            role,
            frozenset(scopes),
            frozenset(origins),
            reports=role is None or (role.includes(Role.EDITOR) and (not scopes or EVENTS_SCOPE in scopes)),
            label=name or f"{prefix}…",
        )
        return _Found(resolved, None if left is None else float(left), use_is_news)

    async def _note_use(self, key: ResolvedKey) -> None:
        # When it cannot be written, the next look-up tries again.
        with contextlib.suppress(DBAPIError, OSError, TimeoutError):
            async with self._database.transaction(key.project_id) as tx:
                await tx.execute(
                    update(ApiKey)
                    .where(ApiKey.project_id == key.project_id, ApiKey.id == key.id)
                    .where(func.coalesce(ApiKey.last_used_at < func.now() - USE_NOTED_EVERY, True))
                    .values(last_used_at=func.now())
                )


@dataclass(frozen=True, slots=True)
class _Known:
    """What a key stood for. ``until``: for sure; ``at_most``: while it is asked for again. Not beyond its expiry."""

    until: float
    at_most: float
    key: ResolvedKey | None


@dataclass(frozen=True, slots=True)
class _Found:
    """A key that is good. ``left``: seconds until it expires. ``use_is_news``: its use was not noted for a while."""

    key: ResolvedKey
    left: float | None
    use_is_news: bool
