"""What was changed, by whom, over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from insights.access.audit_log import entries_of
from insights.api.caller import SecretCaller
from insights.api.services import FromRequest
from insights.errors import Refused
from insights.events.storable import unstorable

router = APIRouter(prefix="/v1/audit", tags=["access"])


class AuditOut(BaseModel):
    """One change. ``actor_kind``: key, member, operator or system; ``address``: the actor's network, no machine.

    ``change``: made, changed or removed. ``before`` and ``after``: what differs; of secrets only that they changed.
    """

    id: int
    at: datetime
    actor_kind: str
    actor_id: UUID | None
    actor_name: str
    address: str | None
    subject: str
    subject_id: str
    change: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditPage(BaseModel):
    """Changes, the newest first; ``next``: pass it as ``before`` for older ones."""

    entries: list[AuditOut]
    next: int | None


@router.get("", response_model=AuditPage)
async def list_changes(
    caller: SecretCaller,
    services: FromRequest,
    subject: str | None = Query(None, max_length=80, description="Only of this kind, such as key or flow."),
    subject_id: str | None = Query(None, max_length=200, description="Only of this one."),
    actor_id: UUID | None = Query(None, description="Only by this key or member."),
    before: int | None = Query(None, ge=1, le=2**63 - 1),
    limit: int = Query(50, ge=1, le=500),
) -> AuditPage:
    """Every change of what the project is set to: who, what, from what to what, when. Nobody can change this list."""
    for name, text in (("subject", subject), ("subject_id", subject_id)):
        if text is not None and unstorable(text) is not None:
            raise Refused(f"{name}: there is no such thing.", field=name)
    async with services.database.transaction(caller.project_id) as tx:
        found = await entries_of(
            tx,
            caller.project_id,
            before=before,
            subject=subject,
            subject_id=subject_id,
            actor_id=actor_id,
            limit=limit + 1,
        )
    page = [AuditOut.model_validate(entry, from_attributes=True) for entry in found[:limit]]
    return AuditPage(entries=page, next=page[-1].id if len(found) > limit else None)
