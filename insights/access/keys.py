"""Decides whose request it is: keys are made once, shown once, and stored as a hash."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from insights.models import ApiKey, Project
from insights.vocabulary.ids import uuid7

KeyKind = Literal["write", "secret"]

_PREFIXES: dict[KeyKind, str] = {"write": "wl_w_", "secret": "wl_s_"}


@dataclass(frozen=True, slots=True)
class ResolvedKey:
    """What a key stands for. ``allowed_origins``: pages whose browsers may report ("*": any)."""

    project_id: UUID
    project_name: str
    kind: KeyKind
    allowed_origins: frozenset[str]


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. ``key`` is shown this once."""

    project_id: UUID
    project: str
    kind: KeyKind
    key: str


async def ensure_project(tx: AsyncSession, name: str, origins: list[str]) -> UUID:
    """The project's id, made if there is none of this name. ``origins`` are added to those it allows."""
    project = (await tx.execute(select(Project).where(Project.name == name))).scalar_one_or_none()
    if project is None:
        project = Project(id=uuid7(), name=name, allowed_origins=sorted(set(origins)))
        tx.add(project)
        await tx.flush()
    elif set(origins) - set(project.allowed_origins):
        merged = sorted({*project.allowed_origins, *origins})
        await tx.execute(update(Project).where(Project.id == project.id).values(allowed_origins=merged))
    return project.id


async def create_key(database: Database, project: str, kind: KeyKind, origins: list[str]) -> NewKey:
    """A new key of a project, which is made if it does not exist."""
    async with database.transaction(None) as tx:
        project_id = await ensure_project(tx, project, origins)
    key = _PREFIXES[kind] + secrets.token_urlsafe(24)
    async with database.transaction(project_id) as tx:
        tx.add(ApiKey(project_id=project_id, id=uuid7(), kind=kind, prefix=key[:10], key_hash=_hash(key)))
    return NewKey(project_id, project, kind, key)


GRACE = 60.0


class KeyRing:
    """Resolves keys, remembering each answer for ``ttl`` seconds: a revoked key works that much longer at most.

    Unknown keys are remembered too, so that a wrong key in a busy page costs no query a request. A write key that was
    good is used on while it is asked for again, for ``GRACE`` seconds at most: a page never waits for that, nor for a
    database that is away to be given up.
    """

    def __init__(
        self, database: Database, *, ttl: float = 10.0, size: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._ttl = ttl
        self._size = size
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, ResolvedKey | None]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[ResolvedKey | None]] = {}

    async def resolve(self, key: str) -> ResolvedKey | None:
        """What ``key`` stands for; None when it is unknown or revoked."""
        known = self._known.get(key)
        if known is not None:
            until, resolved = known
            now = self._clock()
            if until > now:
                return resolved
            if resolved is not None and resolved.kind == "write" and until + GRACE > now:
                self._ask(key)
                return resolved
        if not key.startswith(tuple(_PREFIXES.values())) or len(key) >= 100:
            return None
        return await asyncio.shield(self._ask(key))

    async def close(self) -> None:
        """Waits for what is being asked."""
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

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
        resolved = await self._look_up(key)
        self._known[key] = (self._clock() + self._ttl, resolved)
        self._known.move_to_end(key)
        if len(self._known) > self._size:
            self._known.popitem(last=False)
        return resolved

    async def _look_up(self, key: str) -> ResolvedKey | None:
        hashed = _hash(key)
        async with self._database.transaction(None) as tx:
            # The row-level-security policy shows this one row to whoever knows its hash.
            await tx.execute(text("SELECT set_config('whyleft.key_hash', :hash, true)"), {"hash": hashed.hex()})
            row = (
                await tx.execute(
                    select(ApiKey.project_id, Project.name, ApiKey.kind, Project.allowed_origins)
                    .join(Project, Project.id == ApiKey.project_id)
                    .where(ApiKey.key_hash == hashed, ApiKey.revoked_at.is_(None))
                )
            ).one_or_none()
        if row is None:
            return None
        kind: KeyKind = "write" if row[2] == "write" else "secret"
        return ResolvedKey(row[0], row[1], kind, frozenset(row[3]))


def _hash(key: str) -> bytes:
    # A key has 192 random bits: a fast hash is enough, there is nothing to guess.
    return hashlib.sha256(key.encode()).digest()
