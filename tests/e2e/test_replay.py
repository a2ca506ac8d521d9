"""A click log through the real program: every distinct click is stored once, whatever is killed on the way."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import func, select

from adapters.postgres.engine import Database, DatabaseUrls
from insights.models import Event, Insight, Project
from tests.e2e.server import WHYLEFT, Server, serving, until

SESSIONS = 150
MAX_CLICKS = 12


@pytest.fixture
def clicks(tmp_path: Path) -> tuple[Path, int]:
    """A log in YooChoose's format, grouped by session, with repeated rows; and its number of distinct clicks."""
    rng = random.Random(3)
    rows = []
    for session in range(SESSIONS):
        at = 1_396_861_764.0 + rng.randrange(86_400)
        for _ in range(rng.randrange(1, MAX_CLICKS)):
            rows.append(f"{session}\t{214_000_000 + rng.randrange(900)}\t{at:.3f}")
            at += rng.randrange(1, 300)
    rows += rng.sample(rows, 40)
    path = tmp_path / "clicks.txt"
    path.write_text("SessionId\tItemId\tTime\n" + "\n".join(rows) + "\n")
    return path, len(set(rows))


def replay(server: Server, path: Path, state: Path, write: str, secret: str) -> subprocess.Popen[str]:
    command = [WHYLEFT, "replay", path, "--format", "yoochoose", "--url", server.url, "--state", state, "--json"]
    return subprocess.Popen(
        [*map(str, command), "--write-key", write, "--secret-key", secret],
        env=server.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def count(database: Database, what: type[Event] | type[Insight]) -> int:
    async with database.transaction(None) as tx:
        project = (await tx.execute(select(Project.id).where(Project.name == "shop"))).scalar_one()
    async with database.transaction(project) as tx:
        return int(await tx.scalar(select(func.count()).select_from(what)) or 0)


async def test_a_replay_survives_the_api_and_itself_being_killed(
    database_urls: DatabaseUrls, database: Database, tmp_path: Path, clicks: tuple[Path, int]
) -> None:
    path, distinct = clicks
    state = tmp_path / "state.json"
    async with serving(database_urls, tmp_path, WHYLEFT_LEASE_SECONDS="5") as server:
        keys = await server.key("write"), await server.key("secret")
        running = replay(server, path, state, *keys)

        async def some_stored() -> bool:
            return await count(database, Event) > distinct // 10

        await until(some_stored)
        server.kill()
        await asyncio.sleep(0.5)
        await server.start()
        # The replay goes on by itself; then it is killed too, and started again.
        stored = await count(database, Event)

        async def going_on() -> bool:
            return running.poll() is not None or await count(database, Event) > stored

        await until(going_on)
        running.kill()
        running.communicate()
        again = replay(server, path, state, *keys)
        printed, complaints = await asyncio.to_thread(again.communicate)
        assert again.returncode == 0, complaints
        assert json.loads(printed.splitlines()[-1])["distinct_events"] == distinct
        assert await count(database, Event) == distinct

        async def all_explained() -> bool:
            return await count(database, Insight) == SESSIONS

        await until(all_explained)
        # A third time, from the start: nothing is stored twice.
        state.unlink(missing_ok=True)
        whole = replay(server, path, state, *keys)
        printed, complaints = await asyncio.to_thread(whole.communicate)
        assert whole.returncode == 0, complaints
        report = json.loads(printed.splitlines()[-1])
        assert (report["accepted"], report["duplicates"]) == (0, distinct)
        assert await count(database, Event) == distinct
