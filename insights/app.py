"""Builds the HTTP application of a process out of its services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from insights.api import documented, flows, health, problem, recovery, sessions
from insights.api.ingest import Ingest
from insights.profiles.loading import ProfileLoader
from insights.shipped import shipped
from insights.viewer import create_viewer
from insights.wiring import Services


def create_app(services: Services) -> ASGIApp:
    """The whole application: the API, the browser SDK under /sdk, the viewer under /app."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services.recorder.start()
        yield
        await services.recorder.stop()

    app = FastAPI(
        title="Whyleft",
        description="Why each visitor left or bought, what to do while they are there, how to win them back.",
        lifespan=lifespan,
    )
    app.state.services = services
    problem.install(app)
    for router in (documented.router, sessions.router, flows.router, recovery.router, health.router):
        app.include_router(router)

    @app.get("/", include_in_schema=False)
    async def home() -> RedirectResponse:
        return RedirectResponse("/app")

    # Pages of other origins import its chunks as modules, which browsers only allow with this header.
    app.mount("/sdk", CORSMiddleware(StaticFiles(directory=shipped("sdk"), check_dir=False), allow_origins=["*"]))
    app.mount(
        "/app",
        create_viewer(
            services.database,
            resolve_key=services.keys.resolve,
            signing_secret=services.signing_secret,
            secure_cookies=services.settings.public_url.startswith("https://"),
        ),
    )
    return Ingest(
        app,
        keys=services.keys,
        profiles=services.profiles,
        loader=ProfileLoader(services.database),
        recorder=services.recorder,
        limits=services.limits,
        action_limits=services.action_limits,
        max_body_bytes=services.settings.max_body_bytes,
    )
