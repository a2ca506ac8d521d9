"""GA4's and Shopify's own events over HTTP: POST /v1/ga4 and POST /v1/shopify/pixel."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from insights.api.from_pages import FromPages
from insights.api.reported import read_reported
from insights.api.segment_http import (
    ANSWERS,
    BODY,
    MOST_MESSAGES,
    Received,
    answer,
    cors,
    preflight,
)
from insights.api.services import FromRequest
from insights.errors import Refused
from insights.events.dialects.translation import Envelope
from insights.events.reception import Message
from insights.events.storable import unstorable

router = APIRouter(prefix="/v1", tags=["other dialects"], route_class=FromPages)


@router.post("/ga4", response_model=Received, response_model_exclude_none=True, responses=ANSWERS, openapi_extra=BODY)
async def receive_ga4(request: Request, response: Response, services: FromRequest) -> Received:
    """Events of Google Analytics 4: `{"client_id": "…", "events": [{"name": "add_to_cart", "params": {…}}]}`.

    The Measurement Protocol's body as it is (its `api_secret` is our key), or objects as pages push them to their
    dataLayer: `{"event": "add_to_cart", "ecommerce": {…}}`.
    """
    return await _receive(request, response, services, "ga4", request.query_params.get("api_secret"))


@router.post(
    "/shopify/pixel", response_model=Received, response_model_exclude_none=True, responses=ANSWERS, openapi_extra=BODY
)
async def receive_shopify_pixel(request: Request, response: Response, services: FromRequest) -> Received:
    """Events of a Shopify Web Pixel: one as `analytics.subscribe` gives it, or `{"events": […]}`.

    `visitor` and `session` beside `events` are those of the browser SDK, where the pixel knows them.
    """
    return await _receive(request, response, services, "shopify_pixel", None)


for _path in ("/ga4", "/shopify/pixel"):
    router.add_api_route(_path, preflight, methods=["OPTIONS"], include_in_schema=False)

_NOT_AROUND: Final = frozenset({"events", "key", "writeKey"})


async def _receive(
    request: Request, response: Response, services: FromRequest, dialect: str, secret: str | None
) -> Received:
    key, body = await read_reported(request, services, "key", secret)
    if not isinstance(body, dict):
        raise Refused("The body must be a JSON object.", field="body")
    around: Mapping[str, Any] = {}
    events: Any = [{name: value for name, value in body.items() if name != "key"}]
    if "events" in body:
        around = {name: value for name, value in body.items() if name not in _NOT_AROUND}
        events = body["events"]
    if not isinstance(events, list):
        raise Refused("events: must be a list.", field="events")
    if len(events) > MOST_MESSAGES:
        raise Refused(f"events: {len(events)} in one request; send at most {MOST_MESSAGES} at a time.", field="events")
    if (reason := unstorable(around)) is not None:
        raise Refused(f"{reason}.", field=reason.partition(":")[0])
    received_ms = time.time_ns() // 1_000_000
    messages = [
        Message(
            raw,
            Envelope(received_ms=received_ms, index=index, context=around or None, trusted=key.kind == "secret"),
        )
        for index, raw in enumerate(events)
    ]
    taken = await services.reception.take(key.project_id, dialect, messages)
    response.headers.update(cors(request))
    return answer(taken)
