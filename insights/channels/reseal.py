"""Seals every stored secret anew with the newest key, so that older keys can be taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update

from adapters.postgres.base import Base
from adapters.postgres.engine import Database
from insights.models import ChannelSetup, IdentitySecret, InsightSetting, Project, Subscription, WebhookSource
from insights.sealing import CannotOpen, Purpose, Sealer


@dataclass(frozen=True, slots=True)
class Place:
    """A column of credentials, what they are sealed for, and whose they are."""

    model: type[Base]
    column: Any
    purpose: Purpose
    owner: Callable[[Any], UUID]


PLACES: Final = (
    Place(ChannelSetup, ChannelSetup.credentials, Purpose.CHANNEL, lambda row: row.id),
    Place(Subscription, Subscription.secret, Purpose.SUBSCRIPTION, lambda row: row.id),
    Place(WebhookSource, WebhookSource.sealed, Purpose.WEBHOOK_SOURCE, lambda row: row.id),
    Place(IdentitySecret, IdentitySecret.sealed, Purpose.IDENTITY, lambda row: row.id),
    Place(InsightSetting, InsightSetting.api_key, Purpose.MODEL_KEY, lambda row: row.project_id),
)


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many secrets were sealed anew, had the newest key already, and could not be opened with any key."""

    resealed: int
    newest: int
    lost: int


async def reseal(database: Database, sealer: Sealer) -> Resealed:
    """Goes through all projects. Running processes notice nothing; a secret changed meanwhile keeps its change."""
    counts = {"resealed": 0, "newest": 0, "lost": 0}
    async with database.transaction(None) as tx:
        projects = list(await tx.scalars(select(Project.id)))
    for project_id in projects:
        async with database.transaction(project_id) as tx:
            for place in PLACES:
                rows = await tx.scalars(select(place.model).where(place.column.is_not(None)).with_for_update())
                for row in rows:
                    sealed = getattr(row, place.column.key)
                    if sealer.is_newest(sealed):
                        counts["newest"] += 1
                        continue
                    try:
                        secret = sealer.open(sealed, place.purpose, project_id, place.owner(row))
                    except CannotOpen:
                        counts["lost"] += 1
                        continue
                    anew = sealer.seal(secret, place.purpose, project_id, place.owner(row))
                    key = [column == getattr(row, column.key) for column in place.model.__table__.primary_key]
                    await tx.execute(update(place.model).where(*key).values({place.column.key: anew}))
                    counts["resealed"] += 1
    return Resealed(**counts)
