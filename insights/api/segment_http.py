"""Segment's HTTP API: identify, track, page, screen, group, alias, batch and import, one address each.

Like Segment's, it answers 200 to everything that is JSON and names what it could not use besides: a client must not
send a message again that will never be good. After the page "HTTP API" of Segment's docs.
"""

from __future__ import annotations

import time
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from insights.api.from_pages import FromPages
from insights.api.reported import read_reported
from insights.api.services import FromRequest
from insights.errors import Refused
from insights.events.dialects.segment import TYPES
from insights.events.dialects.translation import Envelope
from insights.events.reception import Message, Taken
from insights.events.storable import unstorable

router = APIRouter(prefix="/v1", tags=["segment"], route_class=FromPages)

MOST_MESSAGES: Final = 2_500
"""In one request: Segment's own limit for imports."""

_SHORT: Final = {kind[0]: kind for kind in TYPES}
"""Segment's script for pages says /v1/t where servers say /v1/track."""


class RefusedMessage(BaseModel):
    """A message that was not accepted. It is kept with this reason and can be replayed once the cause is mended."""

    index: int
    error: str


class UnverifiedMessage(BaseModel):
    """A message that was accepted, and whose claim to be somebody was not believed: the project requires signatures."""

    index: int
    error: str


class UnreadMessage(BaseModel):
    """A message that was accepted, and in which something counts for nothing: it is said under a name that is none of
    ours."""

    index: int
    error: str


class Received(BaseModel):
    """Everything that is not among ``rejected`` is committed."""

    success: bool = True
    rejected: list[RefusedMessage] | None = None
    unverified: list[UnverifiedMessage] | None = None
    unread: list[UnreadMessage] | None = None


def cors(request: Request) -> dict[str, str]:
    """What lets a page of an allowed origin read the answer."""
    origin = request.headers.get("origin")
    return {"access-control-allow-origin": origin, "vary": "origin"} if origin is not None else {}


def answer(taken: Taken) -> Received:
    """What the sender is told."""
    refused = [RefusedMessage(index=item.index, error=item.error) for item in taken.refused]
    doubted = [UnverifiedMessage(index=item.index, error=item.error) for item in taken.doubted]
    unread = [UnreadMessage(index=item.index, error=item.error) for item in taken.unread]
    return Received(rejected=refused or None, unverified=doubted or None, unread=unread or None)


async def receive_one(request: Request, response: Response, services: FromRequest) -> Received:
    """One message of the kind that the address names."""
    key, body = await read_reported(request, services, "writeKey")
    if not isinstance(body, dict):
        raise Refused("The body must be a JSON object: one message.", field="body")
    name = request.url.path.rsplit("/", 1)[-1]
    envelope = Envelope(received_ms=_now_ms(), type=_SHORT.get(name, name), trusted=key.kind == "secret")
    body.pop("writeKey", None)
    taken = await services.reception.take(key.project_id, "segment", [Message(body, envelope)])
    response.headers.update(cors(request))
    return answer(taken)


async def receive_batch(request: Request, response: Response, services: FromRequest) -> Received:
    """Many messages, each naming its ``type``: ``{"batch": […], "sentAt": "…", "context": {…}}``."""
    key, body = await read_reported(request, services, "writeKey")
    batch = body.get("batch") if isinstance(body, dict) else None
    if not isinstance(batch, list):
        raise Refused("batch: must be a list of messages.", field="batch")
    if len(batch) > MOST_MESSAGES:
        raise Refused(f"batch: {len(batch)} messages; send at most {MOST_MESSAGES} at a time.", field="batch")
    around = {name: body.get(name) for name in ("sentAt", "context")}
    if (reason := unstorable(around)) is not None:
        raise Refused(f"{reason}.", field=reason.partition(":")[0])
    received_ms = _now_ms()
    messages = [
        Message(
            raw,
            Envelope(
                received_ms=received_ms,
                sent_at=around["sentAt"],
                index=index,
                context=around["context"],
                trusted=key.kind == "secret",
            ),
        )
        for index, raw in enumerate(batch)
    ]
    taken = await services.reception.take(key.project_id, "segment", messages)
    response.headers.update(cors(request))
    return answer(taken)


async def receive_metrics() -> Received:
    """Numbers that Segment's script for pages sends about itself. Nothing is kept."""
    return Received()


async def preflight(request: Request) -> Response:
    """What a browser asks before it sends. The key is checked when it comes.

    Whatever headers are asked for may come: RudderStack's script for pages sends several of its own.
    """
    headers = {
        **cors(request),
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": request.headers.get("access-control-request-headers", ""),
        "access-control-max-age": "7200",
    }
    return Response(status_code=204, headers=headers)


BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}
ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "The body is not JSON of the right shape."},
    401: {"description": "The key is missing, unknown or revoked."},
    403: {"description": "The page's origin is not allowed for this project."},
    413: {"description": "The body is too large, before or after decompression."},
    503: {"description": "Send the same body again after Retry-After seconds."},
}


def _add(path: str, endpoint: Any, *, shown: bool) -> None:
    router.add_api_route(
        path,
        endpoint,
        methods=["POST"],
        response_model=Received,
        response_model_exclude_none=True,
        responses=ANSWERS,
        openapi_extra=BODY,
        include_in_schema=shown,
        operation_id=f"segment_{path[1:]}",
    )
    router.add_api_route(path, preflight, methods=["OPTIONS"], include_in_schema=False)


for _kind in TYPES:
    _add(f"/{_kind}", receive_one, shown=True)
for _letter in sorted({kind[0] for kind in TYPES}):
    _add(f"/{_letter}", receive_one, shown=False)
for _path, _shown in (("/batch", True), ("/import", True), ("/b", False)):
    _add(_path, receive_batch, shown=_shown)
_add("/m", receive_metrics, shown=False)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
