"""Whether the process lives, and whether it can do its work."""

from __future__ import annotations

import secrets

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from adapters.telemetry.exposition import MEDIA_TYPE, Exposition
from insights.api.services import FromRequest
from insights.errors import NotFound
from insights.readiness import Readiness

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """``ok``, or what is missing."""

    status: str


@router.get("/healthz", response_model=Health)
async def healthz() -> Health:
    """The process answers."""
    return Health(status="ok")


@router.get("/readyz", response_model=Health, responses={503: {"model": Health}})
async def readyz(services: FromRequest, response: Response) -> Health:
    """The process can store events now: the database answers, its schema is this code's, and there is room."""
    missing = await services.readiness.missing()
    if missing is not None:
        response.status_code = 503
    return Health(status=missing or services.readiness.ready)


@router.get("/metrics", include_in_schema=False)
async def metrics(services: FromRequest, request: Request) -> Response:
    """Prometheus metrics, for whoever has the token. Without one it is as if there were nothing here."""
    token = services.settings.metrics_token
    given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
    if not token or not secrets.compare_digest(given, token.encode()):
        raise NotFound(
            "There is nothing here for you. Operators: set WHYLEFT_METRICS_TOKEN and send it as a bearer token."
        )
    return Response(await services.exposition.read(), media_type=MEDIA_TYPE)


class Operators:
    """The listener for operators: /metrics, /healthz and /readyz without a key. Bind it where only they reach it."""

    def __init__(self, readiness: Readiness, exposition: Exposition) -> None:
        self._readiness = readiness
        self._exposition = exposition

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        response = await self._answer(scope["path"])
        await response(scope, receive, send)

    async def _answer(self, path: str) -> Response:
        if path == "/metrics":
            return Response(await self._exposition.read(), media_type=MEDIA_TYPE)
        if path == "/healthz":
            return _health(None)
        if path == "/readyz":
            return _health(await self._readiness.missing(), self._readiness.ready)
        return Response("/metrics, /healthz and /readyz are here.\n", 404, media_type="text/plain")


def _health(missing: str | None, ready: str = "ok") -> Response:
    body = Health(status=missing or ready).model_dump_json()
    return Response(body, 503 if missing else 200, media_type="application/json")
