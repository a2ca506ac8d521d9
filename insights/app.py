"""Builds the HTTP application of a process out of its services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from insights.access.operations import NEEDS
from insights.api import (
    audit_log,
    callbacks,
    channels,
    conditions,
    documented,
    flow_builder,
    flow_figures,
    flow_policy,
    flow_preview,
    flow_test_send,
    flow_versions,
    flows,
    health,
    insight_settings,
    keys,
    lift,
    live_actions,
    members,
    messages,
    other_dialects,
    patterns,
    policies,
    preferences,
    privacy,
    problem,
    projects,
    push,
    recovery,
    rejected,
    reports,
    runs,
    segment_http,
    segments,
    sessions,
    shop,
    tracked,
    trails,
    visitors,
    webhooks,
)
from insights.api.caller import check_declared
from insights.api.deciding import Deciding
from insights.api.gate import Gate
from insights.api.ingest import Ingest
from insights.api.key_first import KeyFirst
from insights.api.methods import Methods
from insights.api.openapi import write_openapi
from insights.api.reference.page import write_page
from insights.api.reporting import Reporters
from insights.errors import Unavailable
from insights.settings import PUBLIC_URL
from insights.shipped import shipped
from insights.traffic.refusal import Refusal
from insights.viewer.app import create_viewer
from insights.wiring.services import Services


class UntilReady:
    """Turns requests away until the schema is the one that this code writes: what it cannot store it must not refuse
    for good. Whether it lives and what it waits for can be asked meanwhile."""

    OPEN = ("/healthz", "/readyz", "/metrics")

    def __init__(self, app: Gate) -> None:
        self._app = app
        self._ready = False

    def open(self) -> None:
        """From now on every request is let through."""
        self._ready = True

    def refusal_of(self, scope: Scope) -> Refusal | None:
        """How a request is refused that need not be begun."""
        return self._app.refusal_of(scope) if self._ready else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._ready or scope["type"] != "http" or scope["path"] in self.OPEN:
            await self._app(scope, receive, send)
            return
        error = Unavailable("This process is starting. Nothing was stored; send the same request again.")
        body = problem.problem(error.status, error.title, error.detail)
        await Response(body, error.status, problem.headers_of(error), problem.MEDIA_TYPE)(scope, receive, send)


def create_app(services: Services) -> Gate:
    """The whole application: the API, the browser SDK under /sdk, the viewer under /app."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await services.start()
        async with services.exposition.answering():
            yield
        await services.stop()

    app = FastAPI(
        title="Whyleft",
        description="Why each visitor left or bought, what to do while they are there, how to win them back.",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # It would lead to whatever host the request names, and out of https behind a proxy.
        redirect_slashes=False,
    )
    app.state.services = services
    problem.install(app)
    rooms = (
        documented,
        segment_http,
        other_dialects,
        webhooks,
        rejected,
        sessions,
        trails,
        visitors,
        segments,
        conditions,
        flows,
        flow_builder,
        flow_versions,
        flow_figures,
        flow_preview,
        flow_test_send,
        flow_policy,
        runs,
        messages,
        tracked,
        shop,
        live_actions,
        channels,
        callbacks,
        policies,
        preferences,
        push,
        privacy,
        recovery,
        lift,
        reports,
        patterns,
        health,
        insight_settings,
        keys,
        projects,
        members,
        audit_log,
    )
    for room in rooms:
        app.include_router(room.router)
    # The application's own list names the rooms, not what is in them.
    routes = [route for room in rooms for route in room.router.routes]
    check_declared(routes)

    @app.get("/", include_in_schema=False)
    async def home() -> RedirectResponse:
        return RedirectResponse("/app/")

    @app.get("/app", include_in_schema=False)
    async def viewer() -> RedirectResponse:
        return RedirectResponse("/app/")

    # Written once: it is long, and anybody may ask for it.
    reference = cache(lambda: write_page(app.openapi(), NEEDS, services.settings.public_url))

    @app.get("/docs", include_in_schema=False)
    def documentation() -> Response:
        page, policy = reference()
        return HTMLResponse(page, headers={"content-security-policy": policy})

    # Pages of other origins import its chunks as modules, which browsers only allow with this header.
    app.mount("/sdk", CORSMiddleware(StaticFiles(directory=shipped("sdk"), check_dir=False), allow_origins=["*"]))
    app.mount(
        "/app",
        create_viewer(
            services.database,
            resolve_key=services.keys.resolve,
            signing_secret=services.signing_secret,
            secure_cookies=services.settings.public_url.startswith("https://"),
            public_url="" if services.settings.public_url == PUBLIC_URL else services.settings.public_url,
            previews=services.classifiers,
            api=app,
            look=services.looker.look,
            channels=tuple(sorted(services.channels.servers)),
            post=services.post,
            sso_header=services.settings.sso_header,
        ),
    )
    write_openapi(app)
    ingest = Ingest(
        Methods(KeyFirst(app, routes, services.keys, services.settings.operator_token), routes),
        reporters=Reporters(services.keys, services.traffic, services.recorder.turned_away),
        deciding=Deciding(
            profiles=services.profiles,
            plans=services.plans,
            loader=services.loader,
            recorder=services.recorder,
            limits=services.action_limits,
        ),
        recorder=services.recorder,
        limits=services.limits,
        max_body_bytes=services.settings.max_body_bytes,
        meters=services.meters,
        traffic=services.traffic,
        explains=services.settings.explain_answers,
    )
    return Gate(
        ingest,
        services.traffic,
        max_body_bytes=services.settings.max_body_bytes,
        https=services.settings.public_url.startswith("https://"),
    )
