"""The servers that the ingest bench measures, each in a process of its own: `python -m bench.server KIND --port N`.

KIND: `no-op` (reads the body, answers {}), `whyleft` (the whole API without a worker), `unwritten` (the same up to
the commit, which it leaves out: for one figure only, no setting of the product does it), `plain` (a FastAPI route with
pydantic models and one SQLAlchemy transaction a request: what one would write first).
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import fastapi
import pydantic
from sqlalchemy.dialects.postgresql import insert
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.postgres.engine import Database, DatabaseUrls
from insights import logs
from insights.app import create_app
from insights.events.entry import Entry
from insights.events.record import Recorder
from insights.models import Event
from insights.serving import loop, server
from insights.serving.listener import bind
from insights.settings import Settings
from insights.wiring.services import Services, build
from insights.worker import ensure_partitions

Made = tuple[ASGIApp, Callable[[], Awaitable[None]]]


async def no_op(scope: Scope, receive: Receive, send: Send) -> None:
    """The least that an ASGI application can do with a request."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


class _Page(pydantic.BaseModel):
    url: str
    title: str
    referrer: str


class _Event(pydantic.BaseModel):
    id: UUID
    seq: int
    t: int
    type: str
    props: dict[str, Any]


class _Batch(pydantic.BaseModel):
    visitor: UUID
    session: UUID
    tab: str
    sent_at: int
    page: _Page
    events: list[_Event]


def plain(database: Database, project_id: UUID) -> ASGIApp:
    """Stores events, and nothing else: no key, no profile, no decision."""
    app = fastapi.FastAPI()

    @app.post("/v1/events")
    async def events(batch: _Batch) -> dict[str, int]:
        received = datetime.now(UTC)
        rows = [
            {
                "project_id": project_id,
                "session_id": batch.session,
                "id": event.id,
                "visitor_id": batch.visitor,
                "tab": batch.tab,
                "seq": event.seq,
                "occurred_at": datetime.fromtimestamp(event.t / 1000, UTC),
                "received_at": received,
                "type": event.type,
                "url": batch.page.url,
                "props": event.props,
            }
            for event in batch.events
        ]
        async with database.transaction(project_id) as tx:
            await tx.execute(insert(Event).on_conflict_do_nothing(), rows)
        return {"accepted": len(rows)}

    return app


class _Unwritten(Recorder):
    """Takes a batch and keeps nothing of it."""

    async def record(self, entry: Entry) -> int:
        return len(entry.events)


def _services() -> Services:
    # One key sends all that the machine can take: limits would measure themselves.
    settings = Settings.from_environment(key_requests_per_second=0.0)
    logs.configure(settings)
    return build(settings, DatabaseUrls.from_settings(settings.database_url, settings.owner_database_url))


def main() -> None:
    """Serves until it is told to end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("no-op", "whyleft", "unwritten", "plain"))
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    listener = bind("127.0.0.1", arguments.port)

    async def run(stop: asyncio.Event) -> None:
        if arguments.kind == "no-op":
            await server.serve([(no_op, listener)], [], stop)
            return
        services = _services()
        await ensure_partitions(services.database)
        if arguments.kind == "unwritten":
            services.recorder.__class__ = _Unwritten
        app = (
            plain(services.database, UUID(os.environ["BENCH_PROJECT"]))
            if arguments.kind == "plain"
            else create_app(services)
        )
        await server.serve([(app, listener)], [], stop)
        await services.database.close()

    loop.run(run)


if __name__ == "__main__":
    main()
