"""Keeps what a project asks of who claims to be somebody: its mode, and the secrets that its server signs with."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.access.keys import tell_processes
from insights.access.projects import project_of
from insights.errors import Conflict, NotFound
from insights.identity.proof import Mode, Proof
from insights.models import IdentitySecret, Project
from insights.sealing import CannotOpen, Purpose, Sealer
from insights.vocabulary.ids import uuid7

log = structlog.get_logger()

PREFIX: Final = "wl_i_"
MOST_SECRETS: Final = 5
"""That are good at once: each is tried with each signature."""


async def secrets_of(tx: AsyncSession, project_id: UUID, now: datetime) -> Sequence[IdentitySecret]:
    """Those that are good at ``now``, the newest first."""
    return (
        await tx.scalars(
            select(IdentitySecret)
            .where(IdentitySecret.project_id == project_id)
            .where(or_(IdentitySecret.expires_at.is_(None), IdentitySecret.expires_at > now))
            .order_by(IdentitySecret.id.desc())
        )
    ).all()


async def make_secret(
    tx: AsyncSession, sealer: Sealer, project_id: UUID, *, overlap: timedelta, now: datetime
) -> tuple[IdentitySecret, str]:
    """A new secret: its row, and what is shown this once. Those before it are good for ``overlap`` longer.

    Raises Conflict.
    """
    await project_of(tx, project_id, lock=True)
    good = await secrets_of(tx, project_id, now)
    for former in good:
        former.expires_at = now + overlap if former.expires_at is None else min(former.expires_at, now + overlap)
    if sum(former.expires_at is not None and former.expires_at > now for former in good) >= MOST_SECRETS:
        raise Conflict(f"{MOST_SECRETS} identity secrets are good already. End those whose signatures nobody sends.")
    identifier, secret = uuid7(), PREFIX + secrets.token_urlsafe(32)
    row = IdentitySecret(
        project_id=project_id, id=identifier, sealed=sealer.seal(secret, Purpose.IDENTITY, project_id, identifier)
    )
    tx.add(row)
    await tx.flush()
    await tx.refresh(row)
    await tell_processes(tx, project_id)
    return row, secret


async def end_secret(tx: AsyncSession, project_id: UUID, secret_id: UUID, now: datetime) -> None:
    """What was signed with it is believed no more, from the commit on. Raises NotFound, and Conflict for the last one
    of a project that asks for signatures: it would believe nobody."""
    project = await project_of(tx, project_id, lock=True)
    row = await tx.get(IdentitySecret, (project_id, secret_id))
    if row is None:
        raise NotFound(f"There is no identity secret {secret_id} in this project. GET /v1/identity lists them.")
    others = [one for one in await secrets_of(tx, project_id, now) if one.id != secret_id]
    if not others and project.identity_mode != Mode.OFF:
        raise Conflict("This is the last identity secret. Make another with overlap_seconds 0, or turn signatures off.")
    await tx.delete(row)
    await tx.flush()
    await tell_processes(tx, project_id)


async def set_mode(tx: AsyncSession, project_id: UUID, mode: Mode, now: datetime) -> None:
    """Asks for signatures, or no more. Raises Conflict where there is nothing to sign with."""
    project = await project_of(tx, project_id, lock=True)
    if mode is not Mode.OFF and not await secrets_of(tx, project_id, now):
        raise Conflict("There is no identity secret to sign with. Make one first: POST /v1/identity/secrets.")
    project.identity_mode = mode.value
    await tx.flush()
    await tell_processes(tx, project_id)


async def read_proof(tx: AsyncSession, sealer: Sealer, project_id: UUID) -> Proof:
    """What the project asks for now. A secret that cannot be opened proves nothing: where signatures are required,
    nobody is believed by it."""
    mode = Mode(await tx.scalar(select(Project.identity_mode).where(Project.id == project_id)) or Mode.OFF)
    if mode is Mode.OFF:
        return Proof()
    opened: list[bytes] = []
    now = (await tx.execute(select(func.now()))).scalar_one()
    for row in await secrets_of(tx, project_id, now):
        try:
            opened.append(sealer.open(row.sealed, Purpose.IDENTITY, project_id, row.id).encode())
        except CannotOpen:
            log.error("identity_secret_unreadable", project_id=str(project_id), secret_id=str(row.id))
    return Proof(mode, tuple(opened))
