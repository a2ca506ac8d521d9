"""How long the viewer's server takes for each page with a million events stored: `python -m bench.viewer`.

The events are written with COPY into a database of its own, sessions of fifteen events over thirty days, closed and
explained. Each page is asked for through the whole application in this process, without a socket, beside a page that
only renders a template. `--short` stores a tenth.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg

from adapters.postgres import embedded, migrate
from adapters.postgres.engine import Database, DatabaseUrls, conninfo
from bench.report import Figure, report
from insights.access.keys import create_key
from insights.app import create_app
from insights.settings import Settings
from insights.shipped import shipped
from insights.vocabulary.ids import uuid7
from insights.vocabulary.reasons import ABANDONED_REASONS, CONVERTED_REASONS
from insights.wiring.services import build
from insights.worker import ensure_partitions

EVENTS, A_VISIT, DAYS = 1_000_000, 15, 30
BAR_MS = 150.0
PATHS = ["/", "/cart", "/checkout", "/returns", "/search", *(f"/product/{n}" for n in range(400))]
TYPES = ["scrolled", "engaged", "clicked", "hover_hesitation", "product_viewed", "request_failed", "engaged"]


def visits(count: int, now: datetime, rng: random.Random) -> Iterator[tuple[UUID, UUID, datetime, bool, list[str]]]:
    """(session, visitor, start, bought, paths) of each visit, oldest first; a visitor comes about three times."""
    visitors = [uuid4() for _ in range(max(1, count // 3))]
    for place in range(count):
        start = now - timedelta(days=DAYS) * (1 - place / count) - timedelta(minutes=5)
        paths = ["/", *rng.sample(PATHS, 3), "/cart"] if rng.random() < 0.3 else rng.sample(PATHS, 3)
        session = uuid7(int(start.timestamp() * 1000))
        yield session, rng.choice(visitors), start, rng.random() < 0.1, paths


def fill(url: str, project: UUID, events: int) -> list[UUID]:
    """Writes it all; returns the sessions."""
    rng, now = random.Random(7), datetime.now(UTC)  # noqa: S311 - a shop, not a secret
    made = list(visits(events // A_VISIT, now, rng))
    with psycopg.connect(conninfo(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT set_config('whyleft.project_id', %s, true)", (str(project),))
        with cursor.copy("COPY visitor (project_id, id, first_seen_at, email, traits, consent) FROM STDIN") as copy:
            first: dict[UUID, datetime] = {}
            for _, visitor, start, _, _ in made:
                first.setdefault(visitor, start)
            for place, (visitor, start) in enumerate(first.items()):
                copy.write_row(
                    (project, visitor, start, f"v{place}@example.org" if place % 3 == 0 else None, "{}", "{}")
                )
        with cursor.copy(
            "COPY session (project_id, id, visitor_id, started_at, last_event_at, last_received_at, close_reason,"
            " closed_at, event_count, landing_path, exit_path, paths, stage, purchased, cart_value_minor, currency,"
            " source, client) FROM STDIN"
        ) as copy:
            for session, visitor, start, bought, paths in made:
                end = start + timedelta(seconds=180)
                cart = 0 if bought or rng.random() < 0.6 else rng.randrange(500, 20_000)
                copy.write_row(
                    (
                        project, session, visitor, start, end, end, "idle", end + timedelta(minutes=30), A_VISIT,
                        paths[0], paths[-1], paths, "cart_adder" if cart else "browser", bought, cart, "EUR",
                        json.dumps({"utm_source": rng.choice(["newsletter", "search", "social"])}),
                        json.dumps({"viewport": rng.choice(["1440x900", "390x844"])}),
                    )
                )  # fmt: skip
        with cursor.copy(
            "COPY insight (project_id, id, session_id, visitor_id, kind, reason, confidence, narrative, evidence,"
            " suggested_actions, classifier, timeline_hash, outcome_hash, created_at) FROM STDIN"
        ) as copy:
            for session, visitor, start, bought, _ in made:
                reason = rng.choice(CONVERTED_REASONS if bought else ABANDONED_REASONS)
                copy.write_row(
                    (
                        project, uuid7(), session, visitor, "converted" if bought else "abandoned", str(reason), 0.7,
                        "They looked around and went.", "[]", "[]", "evidence-1", "", "", start + timedelta(hours=1),
                    )
                )  # fmt: skip
        with cursor.copy(
            "COPY event (project_id, session_id, id, visitor_id, tab, seq, occurred_at, received_at, type, url, props)"
            " FROM STDIN"
        ) as copy:
            for session, visitor, start, _, paths in made:
                for seq in range(A_VISIT):
                    at = start + timedelta(seconds=12 * seq)
                    path = paths[min(len(paths) - 1, seq * len(paths) // A_VISIT)]
                    kind = "page_viewed" if seq % 4 == 0 else rng.choice(TYPES)
                    props: dict[str, Any] = {"path": path} if kind == "page_viewed" else {"depth": 0.5, "ms": 900}
                    row = (project, session, uuid7(), visitor, "t", seq, at, at, kind, f"https://shop.example{path}")
                    copy.write_row((*row, json.dumps(props)))
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        connection.execute("ANALYZE")
    return [session for session, *_ in made]


async def measure(client: httpx.AsyncClient, path: str, times: int) -> tuple[float, int]:
    """The median of ``times`` milliseconds after one to warm up, and the size of the page."""
    answer = await client.get(path)
    assert answer.status_code == 200, (path, answer.status_code, answer.text[:300])
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await client.get(path)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), len(answer.content)


async def main() -> None:
    short = "--short" in sys.argv
    events, times = (EVENTS // 10, 5) if short else (EVENTS, 9)
    with tempfile.TemporaryDirectory() as folder, embedded.start(Path(folder) / "postgres") as server:
        migrate.upgrade(server.owner_url, shipped("migrations"))
        urls = DatabaseUrls(owner=server.owner_url, app=server.app_url)
        services = build(Settings(data_dir=Path(folder)), urls)
        key = await create_key(services.database, "bench", "secret", [])
        await ensure_partitions(services.database)
        began = time.perf_counter()
        sessions = await asyncio.to_thread(fill, server.owner_url, key.project_id, events)
        filled = time.perf_counter() - began
        transport = httpx.ASGITransport(create_app(services))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://bench.test") as client:
            form = (await client.get("/app/login")).text
            hidden = form.split('name="token" value="', 1)[1].split('"', 1)[0]
            await client.post("/app/login", data={"key": key.key, "token": hidden})
            visitor = await _visitor(services.database, key.project_id, sessions[len(sessions) // 2])
            pages = {
                "a bare page": "/app/policies/00000000000000000000000000000000",
                "sessions": "/app/sessions",
                "sessions, a reason": "/app/sessions?reason=distraction",
                "sessions, a page": "/app/sessions?page=/cart",
                "sessions, pages below": "/app/sessions?page=/product/1*",
                "sessions, a source and device": "/app/sessions?source=newsletter&device=phone",
                "sessions, a text": "/app/sessions?text=v42@",
                "sessions, last week": "/app/sessions?when=7d",
                "one session": f"/app/sessions/{sessions[-1]}",
                "one visitor": f"/app/visitors/{visitor}",
                "flows": "/app/flows",
                "live actions": "/app/actions",
                "lift": "/app/lift",
            }
            figures = [
                Figure("events stored", events, "events", n=len(sessions)),
                Figure("written in", round(filled, 1), "s"),
            ]
            bare, _ = await bare_page(client, times)
            figures.append(Figure("a page with nothing on it", round(bare, 1), "ms"))
            for name, path in list(pages.items())[1:]:
                took, size = await measure(client, path, times)
                figures.append(
                    Figure(
                        name, round(took, 1), "ms, median", BAR_MS, took <= BAR_MS, times,
                        {"bare page ms": round(bare, 1), "bytes": size},
                    )
                )  # fmt: skip
        await services.database.close()
    report("viewer", figures)


async def bare_page(client: httpx.AsyncClient, times: int) -> tuple[float, int]:
    """A page that says only that there is no such thing: login, template, nothing read."""
    took = []
    for _ in range(times + 1):
        began = time.perf_counter()
        answer = await client.get("/app/sessions/none")
        took.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 404
    return statistics.median(took[1:]), 0


async def _visitor(database: Database, project_id: UUID, session: UUID) -> UUID:
    from insights.models import Session

    async with database.transaction(project_id) as tx:
        return (await tx.get_one(Session, (project_id, session))).visitor_id


if __name__ == "__main__":
    asyncio.run(main())
