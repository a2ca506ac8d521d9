"""Segment's HTTP API: identify, track, page, screen, group, alias, batch and import, one address each.

Like Segment's, it answers 200 to everything that is JSON and names what it could not use besides: a client must not
send a message again that will never be good. After the page "HTTP API" of Segment's docs.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError

from insights.access.keys import ResolvedKey
from insights.api.body import ClientGone, read_body
from insights.api.from_pages import FromPages
from insights.api.reporting import allows, check_reports, key_of, unreachable
from insights.api.services import FromRequest
from insights.errors import KeyMissing, KeyRefused, OriginRefused, Refused
from insights.events.dialects.segment import TYPES
from insights.events.dialects.translation import Envelope
from insights.events.reception import Message, Taken
from insights.events.storable import unstorable
from insights.wiring.services import Services

router = APIRouter(prefix="/v1", tags=["segment"], route_class=FromPages)

MOST_MESSAGES: Final = 2_500
"""In one request: Segment's own limit for imports."""

_SHORT: Final = {kind[0]: kind for kind in TYPES}
"""Segment's script for pages says /v1/t where servers say /v1/track."""


class RefusedMessage(BaseModel):
    """A message that was not accepted. It is kept with this reason and can be replayed once the cause is mended."""

    index: int
    error: str


class Received(BaseModel):
    """Everything that is not among ``rejected`` is committed."""

    success: bool = True
    rejected: list[RefusedMessage] | None = None


async def read_json(request: Request, limit: int) -> Any:
    """The request's body as parsed JSON. Raises Refused and TooLarge."""
    try:
        body = await read_body(request.receive, dict(request.headers.raw), limit)
    except ClientGone:
        raise Refused("The request ended before its body was whole.", field="body") from None
    try:
        return json.loads(body)
    except RecursionError:
        raise Refused("The JSON is nested too deeply.", field="body") from None
    except ValueError as error:
        raise Refused(f"The body is not JSON: {error}.", field="body") from None


async def event_key(request: Request, services: Services, fallback: Any = None) -> ResolvedKey:
    """The key a request reports with: user name of basic auth, bearer token, ``?key=``, or ``fallback`` in the body.

    Raises KeyMissing, KeyRefused, OriginRefused, Unavailable.
    """
    text = _basic_user(request) or key_of(request.scope["query_string"], dict(request.headers.raw))
    if text is None and isinstance(fallback, str):
        text = fallback
    if not text:
        raise KeyMissing("Send the project's write key as the user name of basic auth, without a password.")
    try:
        key = await services.keys.resolve(text)
    except (DBAPIError, OSError, TimeoutError) as error:
        raise unreachable(error) from error
    if key is None:
        raise KeyRefused("This key is unknown or was revoked. Make one with `whyleft keys create --kind write`.")
    check_reports(key)
    origin = request.headers.get("origin")
    if origin is not None and not allows(key, origin.encode("latin-1")):
        raise OriginRefused(f"Pages of {origin[:200]} may not report for this project.")
    return key


def cors(request: Request) -> dict[str, str]:
    """What lets a page of an allowed origin read the answer."""
    origin = request.headers.get("origin")
    return {"access-control-allow-origin": origin, "vary": "origin"} if origin is not None else {}


def answer(taken: Taken) -> Received:
    """What the sender is told."""
    refused = [RefusedMessage(index=item.index, error=item.error) for item in taken.refused]
    return Received(rejected=refused or None)


async def receive_one(request: Request, response: Response, services: FromRequest) -> Received:
    """One message of the kind that the address names."""
    body = await read_json(request, services.settings.max_body_bytes)
    key = await event_key(request, services, body.get("writeKey") if isinstance(body, dict) else None)
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
    body = await read_json(request, services.settings.max_body_bytes)
    key = await event_key(request, services, body.get("writeKey") if isinstance(body, dict) else None)
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
    """What a browser asks before it sends. The key is checked when it comes."""
    headers = {
        **cors(request),
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "authorization, content-type, content-encoding",
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


def _basic_user(request: Request) -> str | None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode("latin-1").partition(":")[0]
    except (binascii.Error, ValueError):
        return None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
