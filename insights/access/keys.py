"""Makes keys and says what one stands for: each is made once, shown once, and stored as a hash."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from insights.access.roles import Role
from insights.errors import Conflict
from insights.models import ApiKey, Project
from insights.vocabulary.ids import uuid7

KeyKind = Literal["write", "secret"]

PREFIXES: dict[KeyKind, str] = {"write": "wl_w_", "secret": "wl_s_"}


KEYS_CHANNEL: Final = "keys_changed"
"""Says the id of a project whose keys, name, origins, or what it asks of who claims to be somebody, are not what they
were."""


@dataclass(frozen=True, slots=True)
class ResolvedKey:
    """What a key stands for. ``allowed_origins``: pages whose browsers may report ("*": any).

    ``role`` is None for a write key. ``scopes``: what a secret key is limited to; empty is everything its role may.
    ``reports``: whether events are taken with it.
    ``label``: what people know it by.
    """

    id: UUID
    project_id: UUID
    project_name: str
    kind: KeyKind
    role: Role | None
    scopes: frozenset[str]
    allowed_origins: frozenset[str]
    reports: bool
    label: str


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. ``key`` is shown this once."""

    project_id: UUID
    project: str
    kind: KeyKind
    key: str


async def ensure_project(tx: AsyncSession, name: str, origins: list[str]) -> UUID:
    """The project's id, made if there is none of this name. ``origins`` are added to those it allows.

    Raises Conflict for an archived one.
    """
    project = (await tx.execute(select(Project).where(Project.name == name))).scalar_one_or_none()
    if project is not None and project.archived_at is not None:
        raise Conflict(f"The project {name!r} is archived. `whyleft projects restore` opens it again.")
    if project is None:
        project = Project(id=uuid7(), name=name, allowed_origins=sorted(set(origins)))
        tx.add(project)
        await tx.flush()
    elif set(origins) - set(project.allowed_origins):
        merged = sorted({*project.allowed_origins, *origins})
        await tx.execute(update(Project).where(Project.id == project.id).values(allowed_origins=merged))
        await tell_processes(tx, project.id)
    return project.id


async def create_key(
    database: Database,
    project: str,
    kind: KeyKind,
    origins: list[str],
    *,
    role: Role = Role.ADMIN,
    scopes: Sequence[str] = (),
    name: str = "",
) -> NewKey:
    """A new key of a project, which is made if it does not exist. ``role`` and ``scopes``: of a secret key."""
    async with database.transaction(None) as tx:
        project_id = await ensure_project(tx, project, origins)
    async with database.transaction(project_id) as tx:
        _, key = make_key(tx, project_id, kind, role=role, scopes=scopes, name=name)
    return NewKey(project_id, project, kind, key)


def make_key(
    tx: AsyncSession,
    project_id: UUID,
    kind: KeyKind,
    *,
    role: Role = Role.ADMIN,
    scopes: Sequence[str] = (),
    name: str = "",
) -> tuple[ApiKey, str]:
    """A new key's row, and the key itself, which is nowhere else."""
    key = PREFIXES[kind] + secrets.token_urlsafe(24)
    row = ApiKey(
        project_id=project_id,
        id=uuid7(),
        kind=kind,
        name=name,
        role=None if kind == "write" else role.value,
        scopes=[] if kind == "write" else sorted(set(scopes)),
        prefix=key[:10],
        key_hash=hash_of(key),
    )
    tx.add(row)
    return row, key


async def tell_processes(tx: AsyncSession, project_id: UUID) -> None:
    """Tells every process, once this transaction is committed, to ask anew for the keys of a project."""
    await tx.execute(select(func.pg_notify(KEYS_CHANNEL, str(project_id))))


def hash_of(key: str) -> bytes:
    """What is kept of a key."""
    # A key has 192 random bits: a fast hash is enough, there is nothing to guess.
    return hashlib.sha256(key.encode()).digest()
