"""Providers' reports over HTTP: deliveries, bounces, complaints, opens, clicks, opt-outs."""

from __future__ import annotations

from datetime import UTC, datetime

import structlog
from fastapi import APIRouter, Request
from pydantic import BaseModel

from insights.api.body import ClientGone, read_body
from insights.api.services import FromRequest
from insights.errors import Refused, TooLarge

log = structlog.get_logger()
router = APIRouter(prefix="/v1/callbacks", tags=["channels"])


class CallbackOut(BaseModel):
    """What was heard. ``repeated`` was known already; ``stray`` belongs to no message of ours."""

    success: bool = True
    new: int
    repeated: int
    stray: int


@router.post(
    "/{channel}",
    response_model=CallbackOut,
    responses={
        401: {"description": "The call is not signed as this channel's provider signs."},
        413: {"description": "The body is too large."},
        503: {"description": "Nothing was stored. Send the same again after Retry-After seconds."},
    },
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": {}}}}},
)
async def receive_callback(channel: str, request: Request, services: FromRequest) -> CallbackOut:
    """A provider's report, signed as it signs: the address is that of a channel (`callback_url`)."""
    headers = {name: value for name, value in request.headers.raw if name != b"content-encoding"}
    try:
        # As it came: a signature is one over bytes.
        body = await read_body(request.receive, headers, services.settings.max_body_bytes)
    except ClientGone:
        raise Refused("The request ended before its body was whole.", field="body") from None
    except TooLarge:
        # Its sender does not read what we answer, and gives up after a while: only here can somebody hear of it.
        most = services.settings.max_body_bytes
        log.warning(
            "callback_too_large", channel=channel[:60], most=most, advice="allow more with WHYLEFT_MAX_BODY_BYTES"
        )
        raise
    query = f"?{request.url.query}" if request.url.query else ""
    url = services.settings.public_url.rstrip("/") + request.url.path + query
    taken = await services.callbacks.hear(channel, url, request.headers, body, datetime.now(UTC))
    return CallbackOut(new=taken.new, repeated=taken.repeated, stray=taken.stray)
