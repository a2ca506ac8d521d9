"""Decides how a project's keys come and go: made, listed, changed, rotated with an overlap, revoked at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.access.keys import KeyKind, make_key, tell_processes
from insights.access.operations import SCOPES
from insights.access.roles import Role
from insights.errors import Conflict, NotFound, Refused
from insights.models import ApiKey

LONGEST_OVERLAP: Final = timedelta(days=90)
MOST_KEYS: Final = 200
"""Keys of a project that are in use at once."""


async def keys_of(tx: AsyncSession, project_id: UUID) -> Sequence[ApiKey]:
    """Every key, revoked ones too, the newest first."""
    return (await tx.scalars(select(ApiKey).where(ApiKey.project_id == project_id).order_by(ApiKey.id.desc()))).all()


async def key_of(tx: AsyncSession, project_id: UUID, key_id: UUID, *, lock: bool = False) -> ApiKey:
    """One key. Raises NotFound."""
    asked = select(ApiKey).where(ApiKey.project_id == project_id, ApiKey.id == key_id)
    found = await tx.scalar(asked.with_for_update() if lock else asked)
    if found is None:
        raise NotFound(f"There is no key {key_id} in this project. GET /v1/keys lists them.")
    return found


async def issue(
    tx: AsyncSession,
    project_id: UUID,
    *,
    kind: KeyKind,
    role: Role | None,
    scopes: Sequence[str],
    name: str,
    now: datetime,
) -> tuple[ApiKey, str]:
    """A new key: its row, and the key, which is shown this once. Raises Refused and Conflict."""
    if kind == "write" and (role is not None or scopes):
        raise Refused("role: a write key has no role and no scopes; it can only report events.", field="role")
    check_scopes(scopes)
    in_use = [key for key in await keys_of(tx, project_id) if is_in_use(key, now)]
    if len(in_use) >= MOST_KEYS:
        raise Conflict(f"This project has {MOST_KEYS} keys in use. Revoke those that nobody needs.")
    row, key = make_key(tx, project_id, kind, role=role or Role.READER, scopes=scopes, name=name)
    await tx.flush()
    return row, key


async def change(
    tx: AsyncSession,
    project_id: UUID,
    key_id: UUID,
    *,
    name: str | None,
    role: Role | None,
    scopes: Sequence[str] | None,
    now: datetime,
) -> ApiKey:
    """Another name, role or scopes; None leaves each as it is. Raises NotFound, Refused and Conflict."""
    row = _in_use(await key_of(tx, project_id, key_id, lock=True), now)
    if row.kind == "write" and (role is not None or scopes):
        raise Refused("role: a write key has no role and no scopes; it can only report events.", field="role")
    if name is not None:
        row.name = name
    if role is not None:
        row.role = role.value
    if scopes is not None:
        check_scopes(scopes)
        row.scopes = sorted(set(scopes))
    await tx.flush()
    await tell_processes(tx, project_id)
    return row


async def rotate(
    tx: AsyncSession, project_id: UUID, key_id: UUID, *, overlap: timedelta, now: datetime
) -> tuple[ApiKey, str]:
    """A key to take the place of another, which is good for ``overlap`` longer.

    Raises NotFound, Conflict and Refused.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise Refused(
            f"overlap_seconds: the old key can stay good for 0 to {LONGEST_OVERLAP.days} days.", field="overlap_seconds"
        )
    old = _in_use(await key_of(tx, project_id, key_id, lock=True), now)
    if old.replaced_by is not None:
        raise Conflict("This key was rotated before. Rotate the key that took its place.")
    kind: KeyKind = "write" if old.kind == "write" else "secret"
    role = Role(old.role) if old.role is not None else Role.READER
    row, key = make_key(tx, project_id, kind, role=role, scopes=old.scopes, name=old.name)
    old.replaced_by = row.id
    old.expires_at = now + overlap if old.expires_at is None else min(old.expires_at, now + overlap)
    await tx.flush()
    await tell_processes(tx, project_id)
    return row, key


async def revoke(tx: AsyncSession, project_id: UUID, key_id: UUID, now: datetime) -> ApiKey:
    """The key is good for nothing from the commit on, in every process. Again changes nothing. Raises NotFound."""
    row = await key_of(tx, project_id, key_id, lock=True)
    if row.revoked_at is None:
        row.revoked_at = now
        await tx.flush()
        await tell_processes(tx, project_id)
    return row


def is_in_use(key: ApiKey, now: datetime) -> bool:
    """Whether the key is good at ``now``."""
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


def check_scopes(scopes: Sequence[str]) -> None:
    """Raises Refused, naming the scopes there are."""
    for scope in scopes:
        if scope not in SCOPES:
            raise Refused(f"scopes: there is no scope {scope!r}. Scopes: {', '.join(sorted(SCOPES))}.", field="scopes")


def _in_use(key: ApiKey, now: datetime) -> ApiKey:
    if not is_in_use(key, now):
        raise Conflict("This key was revoked or has expired. Make a new one.")
    return key
