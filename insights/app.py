"""Builds the HTTP application of a process out of its services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from insights.access.operations import NEEDS
from insights.api import problem
from insights.api.caller import check_declared
from insights.api.deciding import Deciding
from insights.api.gate import Gate
from insights.api.ingest import Ingest
from insights.api.key_first import KeyFirst
from insights.api.methods import Methods
from insights.api.openapi import write_openapi
from insights.api.reference.page import write_page
from insights.api.reporting import Reporters
from insights.api.routers import ROUTERS
from insights.settings import PUBLIC_URL
from insights.shipped import shipped
from insights.viewer.app import create_viewer
from insights.wiring.services import Services


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
    for router in ROUTERS:
        app.include_router(router)
    # The application's own list names the routers, not what is in them.
    routes = [route for router in ROUTERS for route in router.routes]
    check_declared(routes)
    _add_pages(app, services)
    write_openapi(app)
    asked = Methods(KeyFirst(app, routes, services.keys, services.settings.operator_token), routes)
    return Gate(
        _ingest(services, asked),
        services.traffic,
        max_body_bytes=services.settings.max_body_bytes,
        https=services.settings.public_url.startswith("https://"),
    )


def _add_pages(app: FastAPI, services: Services) -> None:
    """What people and browsers open: the viewer, the reference, the SDK's files."""
    settings = services.settings

    @app.get("/", include_in_schema=False)
    async def home() -> RedirectResponse:
        return RedirectResponse("/app/")

    @app.get("/app", include_in_schema=False)
    async def viewer() -> RedirectResponse:
        return RedirectResponse("/app/")

    # Written once: it is long, and anybody may ask for it.
    reference = cache(lambda: write_page(app.openapi(), NEEDS, settings.public_url))

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
            secure_cookies=settings.public_url.startswith("https://"),
            public_url="" if settings.public_url == PUBLIC_URL else settings.public_url,
            previews=services.classifiers,
            api=app,
            look=services.looker.look,
            channels=tuple(sorted(services.channels.servers)),
            post=services.post,
            sso_header=settings.sso_header,
        ),
    )


def _ingest(services: Services, rest: ASGIApp) -> Ingest:
    """The events endpoint, before ``rest``, which answers whatever else is asked."""
    return Ingest(
        rest,
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
