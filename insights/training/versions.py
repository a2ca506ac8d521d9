"""Versions of a project's intent model: stored with what each was judged by, put in use only when it beat the last."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from insights.errors import NotFound
from insights.intents.model import IntentModel
from insights.intents.training import Trained, report
from insights.models import IntentModelVersion, Project
from insights.training.in_use import name_of

KEPT = 50


async def store(
    tx: AsyncSession, project_id: UUID, trained: Trained, before: IntentModel, through: datetime, now: datetime
) -> IntentModelVersion:
    """The stored version: in use from now on when a score of it won, else kept beside as a candidate."""
    # One after the other: two that train at once must not both take the next number.
    await tx.execute(select(Project.id).where(Project.id == project_id).with_for_update())
    theirs = IntentModelVersion.project_id == project_id
    last = await tx.scalar(select(func.max(IntentModelVersion.version)).where(theirs))
    version = (last or 0) + 1
    if trained.wins:
        await tx.execute(
            update(IntentModelVersion).where(theirs, IntentModelVersion.role == "incumbent").values(role="retired")
        )
    row = IntentModelVersion(
        project_id=project_id,
        version=version,
        role="incumbent" if trained.wins else "candidate",
        made_at=now,
        trained_through=through,
        model=trained.model(name_of(version), before).as_dict(),
        report={**report(trained), "before": before.name},
    )
    tx.add(row)
    await tx.execute(
        delete(IntentModelVersion).where(
            theirs, IntentModelVersion.version <= version - KEPT, IntentModelVersion.role != "incumbent"
        )
    )
    await tx.flush()
    return row


async def versions_of(tx: AsyncSession, project_id: UUID) -> list[IntentModelVersion]:
    """The newest first."""
    found = await tx.scalars(
        select(IntentModelVersion)
        .where(IntentModelVersion.project_id == project_id)
        .order_by(IntentModelVersion.version.desc())
    )
    return list(found)


async def use(tx: AsyncSession, project_id: UUID, version: int) -> None:
    """Puts a stored version in use, whatever it was judged; 0 is the prior. Raises NotFound."""
    theirs = IntentModelVersion.project_id == project_id
    if version and await tx.get(IntentModelVersion, (project_id, version)) is None:
        raise NotFound(f"There is no version {version} of the intent model. See `whyleft train versions`.")
    await tx.execute(
        update(IntentModelVersion).where(theirs, IntentModelVersion.role == "incumbent").values(role="retired")
    )
    await tx.execute(
        update(IntentModelVersion).where(theirs, IntentModelVersion.version == version).values(role="incumbent")
    )
