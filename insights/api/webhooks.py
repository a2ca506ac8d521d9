"""Webhooks in over HTTP, and their sources."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from insights.api.body import ClientGone, read_body
from insights.api.caller import SecretCaller
from insights.api.services import FromRequest
from insights.errors import Refused, TooLarge
from insights.sources.store import Provider, Source, create_source, list_sources, revoke_source

log = structlog.get_logger()
router = APIRouter(prefix="/v1", tags=["webhooks"])


class WebhookOut(BaseModel):
    """The webhook was heard. ``repeated``: it was heard before, and nothing happened now."""

    success: bool = True
    repeated: bool = False
    ignored: int = 0
    rejected: str | None = None
    unread: str | None = None


class SourceIn(BaseModel):
    """Somebody who may report. Without ``secret`` one is made (not for Shopify, which has its own)."""

    provider: Provider
    name: str = Field(min_length=1, max_length=200)
    secret: str | None = Field(None, max_length=500)


class SourceOut(BaseModel):
    """A source. ``url`` is what the other side is told to post to."""

    id: UUID
    provider: str
    name: str
    url: str
    created_at: datetime
    revoked_at: datetime | None


class NewSourceOut(SourceOut):
    """A source just made. ``secret`` is shown this once, and only where we made it."""

    secret: str | None


class SourceList(BaseModel):
    """Sources, oldest first."""

    sources: list[SourceOut]


@router.post(
    "/webhooks/{provider}/{address}",
    response_model=WebhookOut,
    response_model_exclude_none=True,
    responses={
        400: {"description": "The body is not JSON of the right shape."},
        401: {"description": "The signature does not belong to this body and this source."},
        413: {"description": "The body is too large."},
        503: {"description": "Nothing was stored. Send the same again after Retry-After seconds."},
    },
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
async def receive_webhook(provider: Provider, address: str, request: Request, services: FromRequest) -> WebhookOut:
    """A webhook, signed as its provider signs: its address is that of a source (`whyleft sources create`)."""
    headers = {name: value for name, value in request.headers.raw if name != b"content-encoding"}
    try:
        # As it came: a signature is one over bytes.
        body = await read_body(request.receive, headers, services.settings.max_body_bytes)
    except ClientGone:
        raise Refused("The request ended before its body was whole.", field="body") from None
    except TooLarge:
        # Its sender does not read what we answer, and gives up after a while: only here can somebody hear of it.
        most = services.settings.max_body_bytes
        log.warning("webhook_too_large", provider=provider, most=most, advice="allow more with WHYLEFT_MAX_BODY_BYTES")
        raise
    heard = await services.door.hear(provider, address, request.headers, body, time.time_ns() // 1_000_000)
    return WebhookOut(repeated=heard.repeated, ignored=heard.ignored, rejected=heard.rejected, unread=heard.unread)


@router.post("/sources", response_model=NewSourceOut, status_code=201)
async def make_source(given: SourceIn, caller: SecretCaller, services: FromRequest) -> NewSourceOut:
    """Lets somebody report by webhook."""
    async with services.database.transaction(caller.project_id) as tx:
        made = await create_source(tx, services.sealer, caller.project_id, given.provider, given.name, given.secret)
    return NewSourceOut(**_source(made.source, services.settings.public_url), secret=made.secret)


@router.get("/sources", response_model=SourceList)
async def get_sources(caller: SecretCaller, services: FromRequest) -> SourceList:
    """Who may report."""
    async with services.database.transaction(caller.project_id) as tx:
        found = await list_sources(tx, caller.project_id)
    return SourceList(sources=[SourceOut(**_source(source, services.settings.public_url)) for source in found])


@router.delete("/sources/{source_id}", status_code=204)
async def remove_source(source_id: UUID, caller: SecretCaller, services: FromRequest) -> Response:
    """From now on nothing of this source is taken."""
    async with services.database.transaction(caller.project_id) as tx:
        await revoke_source(tx, caller.project_id, source_id)
    return Response(status_code=204)


def _source(source: Source, public_url: str) -> dict[str, Any]:
    return {
        "id": source.id,
        "provider": source.provider,
        "name": source.name,
        "url": public_url.rstrip("/") + source.path,
        "created_at": source.created_at,
        "revoked_at": source.revoked_at,
    }
