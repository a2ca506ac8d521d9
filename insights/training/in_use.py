"""Reads the intent model that a project's visits are scored by."""

from __future__ import annotations

from uuid import UUID

import structlog
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.intents.additive import ModelInvalid
from insights.intents.model import PRIOR, IntentModel
from insights.models import IntentModelVersion

log = structlog.get_logger()


def incumbent_version(project_id: UUID) -> Select[int]:
    """The version that is in use; no row while that is the prior."""
    return select(func.max(IntentModelVersion.version)).where(
        IntentModelVersion.project_id == project_id, IntentModelVersion.role == "incumbent"
    )


async def read_intent(tx: AsyncSession, project_id: UUID) -> IntentModel:
    """The model in use; the prior where there is none, or where it was made by another version of this software."""
    stored = await tx.scalar(
        select(IntentModelVersion).where(
            IntentModelVersion.project_id == project_id, IntentModelVersion.role == "incumbent"
        )
    )
    return PRIOR if stored is None else of_stored(stored)


async def read_intent_named(tx: AsyncSession, project_id: UUID, name: str) -> IntentModel:
    """The model that was logged as ``name``; the prior for a name that no version has."""
    version = name.removeprefix(NAME)
    if not name.startswith(NAME) or not version.isdecimal() or len(version) > 9:
        return PRIOR
    stored = await tx.get(IntentModelVersion, (project_id, int(version)))
    return PRIOR if stored is None else of_stored(stored)


NAME = "intent-"


def name_of(version: int) -> str:
    """As it is logged with a score."""
    return f"{NAME}{version}"


def of_stored(stored: IntentModelVersion) -> IntentModel:
    """The model of a row; the prior when it cannot be read any more."""
    try:
        return IntentModel.of(name_of(stored.version), stored.model)
    except ModelInvalid as error:
        log.warning("intent_model_unreadable", version=stored.version, problem=str(error))
        return PRIOR
