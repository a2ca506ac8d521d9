"""Web push over HTTP: the key that pages subscribe with, and who did."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import select

from adapters.channels.push.web_push import WebPush
from insights.api.caller import SecretCaller
from insights.api.services import FromRequest
from insights.channels import store
from insights.errors import NotFound
from insights.models import PushSubscription

router = APIRouter(prefix="/v1/push", tags=["channels"])


class PushKey(BaseModel):
    """What pages hand to ``whyleft.push``. Subscriptions made with another key cannot be written to."""

    channel: str
    public_key: str


class PushSubscriptionOut(BaseModel):
    """A browser (web) or an app that may be written to. ``service``: whose push service it is."""

    id: UUID
    visitor_id: UUID
    kind: str
    service: str
    told_at: datetime


class SubscriptionList(BaseModel):
    """The newest first."""

    subscriptions: list[PushSubscriptionOut]


@router.get("/key", response_model=PushKey)
async def push_key(caller: SecretCaller, services: FromRequest) -> PushKey:
    """The public key of the project's Web Push channel."""
    async with services.database.transaction(caller.project_id) as tx:
        for row in await store.listed(tx, caller.project_id):
            channel = services.channels.opened(row) if row.enabled and row.kind == WebPush.kind else None
            if isinstance(channel, WebPush):
                return PushKey(channel=row.name, public_key=channel.public_key)
    raise NotFound('This project has no Web Push channel: make one with POST /v1/channels {"kind": "web_push", …}.')


@router.get("/subscriptions", response_model=SubscriptionList)
async def push_subscriptions(
    caller: SecretCaller,
    services: FromRequest,
    visitor_id: UUID | None = Query(None, description="Only this visitor's."),
    limit: int = Query(50, ge=1, le=500),
) -> SubscriptionList:
    """Who subscribed to pushes. Their ids are what a test of the channel is sent to."""
    query = select(PushSubscription).where(PushSubscription.project_id == caller.project_id)
    if visitor_id is not None:
        query = query.where(PushSubscription.visitor_id == visitor_id)
    async with services.database.transaction(caller.project_id) as tx:
        rows = await tx.scalars(query.order_by(PushSubscription.told_at.desc(), PushSubscription.id).limit(limit))
        return SubscriptionList(
            subscriptions=[
                PushSubscriptionOut(
                    id=row.id,
                    visitor_id=row.visitor_id,
                    kind=row.kind,
                    service=row.address.split("/")[2] if row.kind == "web" else "fcm",
                    told_at=row.told_at,
                )
                for row in rows
            ]
        )
