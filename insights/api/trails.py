"""A visitor over HTTP: who they are on all their devices, and everything they did."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from insights.api.caller import SecretCaller
from insights.api.paging import Cursor, page_end
from insights.api.services import FromRequest
from insights.api.sessions import SessionOut, session_out
from insights.identity.acquaintance import Acquaintance, read_acquaintance
from insights.identity.trail import Totals, read_messages, read_orders, read_totals, read_visits

router = APIRouter(prefix="/v1/visitors", tags=["visitors"])


class DeviceOut(BaseModel):
    """One visitor id of the person. ``client`` is what the browser said of itself last."""

    visitor_id: UUID
    first_seen_at: datetime
    last_seen_at: datetime | None
    sessions: int
    client: dict[str, Any]


class IdentifierOut(BaseModel):
    """A name the person goes by, its middle hidden. ``devices`` are the visitors that said it themselves."""

    kind: str = Field(description="user_id, email or phone")
    value: str
    first_at: datetime
    devices: list[UUID]


class RefusedLinkOut(BaseModel):
    """A link that joins nobody. ``users`` are the two customers it would have made one, where that is the reason."""

    subject_kind: str
    subject: str
    name_kind: str
    name: str
    why: str = Field(description="two_users, shared or too_many")
    explanation: str
    users: tuple[str, str] | None
    first_at: datetime
    session_id: UUID | None


class OrderOut(BaseModel):
    """An order, told once however many devices reported it."""

    key: str
    visitor_id: UUID
    occurred_at: datetime
    value_minor: int | None
    currency: str | None


class TrailMessageOut(BaseModel):
    """One attempt to reach the person."""

    action: str
    channel: str
    status: str
    visitor_id: UUID
    created_at: datetime


class TotalsOut(BaseModel):
    """Over all devices."""

    sessions: int
    orders: int
    messages: int


class VisitorOut(BaseModel):
    """A visitor and the person they are, with the trail across all devices, newest first.

    Sessions come in pages: pass ``next`` as ``cursor`` for the older ones; null on the last. ``orders`` and
    ``messages`` are the latest 50.
    """

    id: UUID
    person_id: UUID = Field(description="The visitor id that was linked first; the visitor's own where there is one.")
    devices: list[DeviceOut]
    identifiers: list[IdentifierOut]
    refused_links: list[RefusedLinkOut]
    totals: TotalsOut
    sessions: list[SessionOut]
    orders: list[OrderOut]
    messages: list[TrailMessageOut]
    next: str | None


@router.get("/{visitor_id}", response_model=VisitorOut)
async def get_visitor(
    visitor_id: UUID,
    caller: SecretCaller,
    services: FromRequest,
    limit: int = Query(50, ge=1, le=500, description="Sessions on a page."),
    cursor: Cursor = None,
) -> VisitorOut:
    """One visitor, as any of the ids of their devices: identifiers, refused links, and the whole trail."""
    async with services.database.transaction(caller.project_id) as tx:
        known = await read_acquaintance(tx, caller.project_id, visitor_id)
        visits = await read_visits(tx, caller.project_id, known.visitors, after=page_end(cursor), limit=limit)
        orders = await read_orders(tx, caller.project_id, known.visitors)
        messages = await read_messages(tx, caller.project_id, known.visitors)
        totals = await read_totals(tx, caller.project_id, known.visitors)
    return VisitorOut(
        **_who(known, totals),
        sessions=[session_out(visit.session, visit.insight) for visit in visits.visits],
        orders=[OrderOut.model_validate(order, from_attributes=True) for order in orders],
        messages=[TrailMessageOut.model_validate(message, from_attributes=True) for message in messages],
        next=str(visits.older) if visits.older is not None else None,
    )


def _who(known: Acquaintance, totals: Totals) -> dict[str, Any]:
    return {
        "id": known.visitor_id,
        "person_id": known.person_id,
        "devices": [DeviceOut.model_validate(device, from_attributes=True) for device in known.devices],
        "identifiers": [IdentifierOut.model_validate(name, from_attributes=True) for name in known.identifiers],
        "refused_links": [RefusedLinkOut.model_validate(link, from_attributes=True) for link in known.refused],
        "totals": TotalsOut.model_validate(totals, from_attributes=True),
    }
