"""Attacks ourselves: `python -m bench.attack [--long] [--json]`.

A key floods beside a quiet one; then each row of what must hold is tried by its tests, counted, and printed with n,
while schemathesis asks every operation in every wrong way with each kind of key. Zero failures in n trials bound the
rate of failure at 3/n. The short run leaves out the slow rows and says which; --long takes all of them, three seeds for
each kind of key, kills of every process (parts of `bench.chaos`), and slow and broken lines to database, model, mail.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
from sqlalchemy import select

from adapters.postgres import embedded, migrate
from adapters.postgres.engine import Database, DatabaseUrls
from bench.attack import neighbour
from bench.attack.fuzz import Fuzzed, fuzz
from bench.attack.rows import ROWS, Outcome, Row, attempt
from bench.attack.slowness import slowness
from bench.chaos import ingest as chaos
from bench.processes import Process, environment
from bench.report import Figure, report
from insights.access import members
from insights.access.keys import create_key
from insights.access.logins import Browser, Logins
from insights.access.roles import Role
from insights.models import Project
from insights.shipped import shipped
from insights.viewer.gate import LOGIN_COOKIE

SEEDS = (1, 2, 3)
OPERATOR_KIND = "operator"
OPERATOR = "operator-token-of-thirty-two-letters"
QUICK_KINDS = ("none", "write", "admin", "member session")
"""Kinds of key that a short run takes; the rest of the secret ones may do less than an admin's."""
ROWS_AT_ONCE = 2
"""Processes for the tests; schemathesis takes every core that they leave, and all once they are through."""
KILLS = 4
"""Of each process in the long run; `python -m bench.chaos ingest --long` takes a hundred."""
SECONDS_OF_FAULT = 8.0


async def run(long: bool) -> list[Figure]:
    """All figures."""
    # Alone: everything else would be a neighbour, too.
    beside = await neighbour.figures(24 if long else 6)
    cores = asyncio.Semaphore(max(os.cpu_count() or 1, ROWS_AT_ONCE + 1))
    rows, fuzzed = await asyncio.gather(_rows([row for row in ROWS if long or not row.long], cores), _fuzz(long, cores))
    figures = [*rows, *fuzzed, *beside]
    if long:
        return figures + await chaos.run(KILLS) + await slowness(SECONDS_OF_FAULT)
    left_out = [f"{row.name}: {row.number}" for row in ROWS if row.long]
    left_out += ["kill -9 of API, worker, PostgreSQL, Redis", "a second late, resets: database, model, provider"]
    return figures + [Figure(name, None, "not run: --long") for name in left_out]


async def _rows(rows: list[Row], cores: asyncio.Semaphore) -> list[Figure]:
    async def one(group: list[Row]) -> dict[Row, Outcome]:
        async with cores:
            return await attempt(group)

    # Starting a database takes as long as many a row: few processes, several rows each.
    groups = [rows[number::ROWS_AT_ONCE] for number in range(ROWS_AT_ONCE)]
    outcomes = {row: outcome for found in await asyncio.gather(*map(one, groups)) for row, outcome in found.items()}
    figures = []
    for row in rows:
        outcome = outcomes[row]
        for name in outcome.broken:
            print(f"  broken: {name}", file=sys.stderr)
        held = not outcome.broken and outcome.tried > 0
        figures.append(Figure(f"{row.name}: {row.number}", len(outcome.broken), "tests", 0, held, outcome.tried))
    return figures


@asynccontextmanager
async def _server() -> AsyncIterator[tuple[str, dict[str, str]]]:
    """A server without limits, and one key of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        server = await asyncio.to_thread(embedded.start, Path(folder) / "postgres")
        try:
            migrate.upgrade(server.owner_url, shipped("migrations"))
            urls = DatabaseUrls(owner=server.owner_url, app=server.app_url)
            database = Database(urls)
            keys = {"none": "", OPERATOR_KIND: OPERATOR}
            keys["write"] = (await create_key(database, "fuzzed", "write", [])).key
            keys["admin"] = (await create_key(database, "fuzzed", "secret", [])).key
            keys["member session"] = await _member_session(database)
            await database.close()
            names = ("OPERATION_REQUESTS_PER_SECOND", "KEY_REQUESTS_PER_SECOND", "OPERATIONS_AT_ONCE")
            limits = {f"WHYLEFT_{name}": "0" for name in names}
            given = environment(urls, Path(folder), WHYLEFT_OPERATOR_TOKEN=OPERATOR, **limits)
            async with Process(given, "serve") as process:
                async with httpx.AsyncClient(base_url=process.url) as client:
                    for role in ("editor", "reader"):
                        headers = {"authorization": f"Bearer {keys['admin']}"}
                        made = await client.post("/v1/keys", headers=headers, json={"kind": "secret", "role": role})
                        keys[role] = made.raise_for_status().json()["key"]
                yield process.url, keys
        finally:
            await asyncio.to_thread(server.stop)


async def _member_session(database: Database) -> str:
    """The cookie of an admin who is logged in."""
    now = datetime.now(UTC)
    async with database.transaction(None) as tx:
        project_id = (await tx.scalars(select(Project.id).where(Project.name == "fuzzed"))).one()
    async with database.transaction(project_id) as tx:
        _, link = await members.invite(tx, project_id, "admin@example.org", Role.ADMIN, now)
    async with database.transaction(None) as tx:
        invitation, _ = await members.invitation_of(tx, link, now)
        member_id = await members.accept(tx, invitation, None, now)
    async with database.transaction(project_id) as tx:
        return Logins.begin(tx, project_id, Browser("127.0.0.0", "bench"), now, member_id=member_id)


def _sent(kind: str, key: str) -> dict[str, str]:
    """The headers that carry a key of this kind."""
    if kind == "member session":
        # What opens the viewer opens nothing here: no other page may ask in a member's name.
        return {"Cookie": f"{LOGIN_COOKIE}={key}"}
    return {"Authorization": f"Bearer {key}"} if key else {}


async def _opens(url: str, headers: dict[str, str]) -> int:
    """The status that whoever sends ``headers`` is answered: keys can be shut while they are tried."""
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
        return (await client.get("/v1/project")).status_code


async def _fuzz(long: bool, cores: asyncio.Semaphore) -> list[Figure]:
    async with _server() as (url, keys):
        opened = {kind: await _opens(url, _sent(kind, key)) for kind, key in keys.items()}

        async def one(kind: str, seed: int) -> Fuzzed:
            headers = _sent(kind, keys[kind])
            async with cores:
                if long:
                    phases = ("examples", "coverage", "fuzzing", "stateful")
                    found = await fuzz(url, headers, seed=seed, examples=10, phases=phases)
                else:
                    found = await fuzz(url, headers, seed=seed, examples=1, phases=("fuzzing",))
            if kind != OPERATOR_KIND and (now := await _opens(url, headers)) != opened[kind]:
                shut = f"answered {opened[kind]} before the run and {now} after it: some of it tried refusals alone"
                found = replace(found, faults=(*found.faults, shut))
            return found

        seeds = SEEDS if long else SEEDS[:1]
        tried = [kind for kind in keys if long or kind in QUICK_KINDS]
        # Last: the operator's token archives the projects that it comes upon, and no key of theirs opens anything then.
        tried.sort(key=lambda kind: kind == OPERATOR_KIND)
        runs: list[Fuzzed] = []
        for last in (False, True):
            together = [kind for kind in tried if (kind == OPERATOR_KIND) is last]
            runs += await asyncio.gather(*(one(kind, seed) for kind in together for seed in seeds))
        figures = [Figure(f"schemathesis, {kind} key", None, "not run: --long") for kind in keys if kind not in tried]
        for number, kind in enumerate(tried):
            found = runs[number * len(seeds) : (number + 1) * len(seeds)]
            faults = [fault for fuzzed in found for fault in fuzzed.faults]
            for fault in faults:
                print(f"  {kind}: {fault}", file=sys.stderr)
            name = f"schemathesis, {kind} key, {len(found)} seeds, {found[0].operations} operations"
            figures.append(Figure(name, len(faults), "faults", 0, not faults, sum(fuzzed.cases for fuzzed in found)))
    return figures


def main() -> None:
    """Runs it; exits with 1 when a row does not hold."""
    figures = asyncio.run(run("--long" in sys.argv))
    report("attack", figures)
    sys.exit(1 if any(figure.holds is False for figure in figures) else 0)


if __name__ == "__main__":
    main()
