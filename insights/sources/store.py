"""Keeps the sources of a project: made once, listed without their secrets, revoked for good."""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from insights.errors import Conflict, NotFound, Refused
from insights.events.storable import unstorable
from insights.models import WebhookSource
from insights.sealing import Purpose, Sealer
from insights.vocabulary.addresses import address_of
from insights.vocabulary.ids import uuid7

Provider = Literal["shopify", "klaviyo", "braze", "generic"]
SHORTEST_SECRET: Final = 16
MOST_SOURCES: Final = 200
"""Sources of a project, revoked ones too."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source without its secret. ``path`` is where it posts to."""

    id: UUID
    provider: str
    name: str
    path: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewSource:
    """A source just made. ``secret`` is ours to tell where the caller gave none, and is shown this once."""

    source: Source
    secret: str | None


async def create_source(
    tx: AsyncSession, sealer: Sealer, project_id: UUID, provider: Provider, name: str, secret: str | None
) -> NewSource:
    """A new source. Without ``secret`` one is made, which the other side must be told. Raises Refused, Conflict."""
    if len(await list_sources(tx, project_id)) >= MOST_SOURCES:
        raise Conflict(f"There are {MOST_SOURCES} sources already, the most there may be.")
    for field, said in (("name", name), ("secret", secret)):
        if (reason := unstorable(said)) is not None:
            raise Refused(f"{field}: {reason.partition(': ')[2]}.", field=field)
    made = None
    if secret is None:
        if provider == "shopify":
            raise Refused(
                "secret: Shopify signs with its own secret; copy it from Settings → Notifications → Webhooks.",
                field="secret",
            )
        secret = made = _fresh(provider)
    secret = secret.strip()
    if len(secret) < SHORTEST_SECRET:
        raise Refused(f"secret: must be {SHORTEST_SECRET} characters or more.", field="secret")
    if provider == "generic":
        _check_standard(secret)
    identifier = uuid7()
    row = WebhookSource(
        project_id=project_id,
        id=identifier,
        provider=provider,
        name=name,
        sealed=sealer.seal(secret, Purpose.WEBHOOK_SOURCE, project_id, identifier),
    )
    tx.add(row)
    await tx.flush()
    await tx.refresh(row)
    return NewSource(_source(row), made)


async def list_sources(tx: AsyncSession, project_id: UUID) -> list[Source]:
    """All sources of a project, the revoked ones too, oldest first."""
    rows = await tx.scalars(
        select(WebhookSource).where(WebhookSource.project_id == project_id).order_by(WebhookSource.id)
    )
    return [_source(row) for row in rows]


def _source(row: WebhookSource) -> Source:
    path = path_of(row.provider, row.project_id, row.id)
    return Source(row.id, row.provider, row.name, path, row.created_at, row.revoked_at)


async def revoke_source(tx: AsyncSession, project_id: UUID, source_id: UUID) -> None:
    """From now on nothing of this source is taken. Raises NotFound."""
    found = await tx.scalar(
        update(WebhookSource)
        .where(WebhookSource.project_id == project_id, WebhookSource.id == source_id)
        .values(revoked_at=func.coalesce(WebhookSource.revoked_at, func.now()))
        .returning(WebhookSource.id)
    )
    if found is None:
        raise NotFound(f"There is no source {source_id} in this project.")


async def active_source(tx: AsyncSession, project_id: UUID, source_id: UUID, provider: str) -> WebhookSource | None:
    """The source, unless it is unknown, revoked or of another provider."""
    found = await tx.get(WebhookSource, (project_id, source_id))
    return found if found is not None and found.revoked_at is None and found.provider == provider else None


def path_of(provider: str, project_id: UUID, source_id: UUID) -> str:
    """Where a source posts to. The address finds the project; it proves nothing."""
    return f"/v1/webhooks/{provider}/{address_of(project_id, source_id)}"


def _fresh(provider: Provider) -> str:
    if provider == "generic":
        return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    return secrets.token_urlsafe(32)


def _check_standard(secret: str) -> None:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_") + "==", validate=False)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) < 16:
        raise Refused(
            "secret: must be whsec_ and base64 of 16 bytes or more, as Standard Webhooks has it.", field="secret"
        )
