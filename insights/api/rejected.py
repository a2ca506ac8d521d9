"""The events that could not be accepted, over HTTP: to read, to mend, to try again."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from insights.api.caller import SecretCaller
from insights.api.services import FromRequest
from insights.api.whole_names import heard_shown_to, sees_names
from insights.events.rejected import list_rejected, replay_one, replay_rejected

router = APIRouter(prefix="/v1", tags=["rejected events"])


class RejectedEventOut(BaseModel):
    """What could not be accepted, but secrets in its addresses. ``dialect`` is null for events of `POST /v1/events`."""

    id: UUID
    received_at: datetime
    error: str
    dialect: str | None
    event: str | None = Field(description="Its JSON as text; null for a reader's key, for it may name people.")


class RejectedList(BaseModel):
    """Rejected events that wait, newest first. ``next`` is the ``before`` of the next page, null at the end."""

    rejected: list[RejectedEventOut]
    next: UUID | None


class ReplayIn(BaseModel):
    """The event as it should have been; left out, it is tried as it came."""

    event: Any = None


class ReplayOneOut(BaseModel):
    """``error`` is null when it is stored now."""

    id: UUID
    error: str | None


class ReplayAllOut(BaseModel):
    """What became of all that waited."""

    stored: int
    rejected: int


@router.get("/rejected", response_model=RejectedList)
async def get_rejected(
    caller: SecretCaller,
    services: FromRequest,
    limit: int = Query(50, ge=1, le=500),
    before: UUID | None = Query(None, description="`next` of the page before."),
) -> RejectedList:
    """Rejected events that wait for a replay, each with its reason."""
    rows = await list_rejected(services.database, caller.project_id, limit, before)
    return RejectedList(
        rejected=[
            RejectedEventOut(
                id=row.id,
                received_at=row.received_at,
                error=heard_shown_to(caller, row.error),
                dialect=row.envelope.get("dialect"),
                event=row.raw.decode(errors="replace") if sees_names(caller) else None,
            )
            for row in rows
        ],
        next=rows[-1].id if len(rows) == limit else None,
    )


@router.post("/rejected/replay", response_model=ReplayAllOut)
async def replay_all(caller: SecretCaller, services: FromRequest) -> ReplayAllOut:
    """Tries all of them again, once their cause is mended. Nothing is stored twice."""
    counts = {True: 0, False: 0}
    async for outcome in replay_rejected(
        services.database, services.recorder, services.reception, caller.project_id, services.limits
    ):
        counts[outcome.error is None] += 1
    return ReplayAllOut(stored=counts[True], rejected=counts[False])


@router.post("/rejected/{rejected_id}/replay", response_model=ReplayOneOut)
async def replay_this(
    rejected_id: UUID, caller: SecretCaller, services: FromRequest, given: ReplayIn | None = None
) -> ReplayOneOut:
    """Tries one again, corrected if you send it corrected. The secret key vouches for what only a server may say."""
    outcome = await replay_one(
        services.database,
        services.recorder,
        services.reception,
        caller.project_id,
        rejected_id,
        services.limits,
        given.event if given is not None else None,
    )
    return ReplayOneOut(id=outcome.id, error=outcome.error)
