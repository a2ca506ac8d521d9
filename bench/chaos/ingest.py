"""Kills API, worker, PostgreSQL and Redis with signal 9 under load: is what was acknowledged there, once?

`python -m bench.chaos ingest [--long] [--json]`: two API and two worker processes, 12 visitors at a time who resend
what was not acknowledged, a mail provider that takes 40 ms. First API and worker processes are killed side by side,
then PostgreSQL, then, on an installation of its own, the Redis that shares live profiles; each 10 times (--long: 100,
--kills N: N).
After each phase everything is left to settle and counted. About two minutes.
"""

from __future__ import annotations

import asyncio
import bisect
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.chaos import truth
from bench.chaos.client import Crowd, Ledger
from bench.chaos.inbox import Inbox, inbox
from bench.chaos.redis_server import PROGRAM, RedisServer
from bench.chaos.stand import Stand, standing
from bench.chaos.truth import Truth
from bench.load import without_collecting
from bench.processes import Process
from bench.report import Figure, option, report

KILLS, KILLS_LONG = 10, 100
VISITORS = 12
SETTLED_WITHIN = 120.0
RECOVERED_WITHIN = 10.0
REFUSED_WITHIN_MS = 100.0
SEED = 20261121


async def run(kills: int) -> list[Figure]:
    """The figures after ``kills`` kills of each kind."""
    chance = random.Random(SEED)  # noqa: S311  no secret: when to kill
    with tempfile.TemporaryDirectory() as folder:
        async with inbox(0.04) as mails, standing(Path(folder), _settings(mails)) as stand:
            figures = [_durable(await truth.durable(stand.database))]
            crowd = Crowd([api.url for api in stand.apis], stand.key, stand.project_id, size=VISITORS, seed=SEED)
            crowd.start()
            await asyncio.gather(
                _kill_by_turns(stand.apis, kills, chance), _kill_by_turns(stand.workers, kills, chance)
            )
            figures += await _counted("API and worker", stand, crowd, mails, kills * 2)
            figures += _refused("API and worker", crowd.ledger, (), None)
            # What a process answers while it starts is no wait for PostgreSQL.
            crowd.ledger.refusals.clear()
            with without_collecting():
                crowd.start()
                killed, recoveries = await _kill_postgres(stand, crowd.ledger, kills, chance)
            figures += await _counted("PostgreSQL", stand, crowd, mails, kills)
            figures += [_recovered(recoveries), *_refused("PostgreSQL", crowd.ledger, killed, REFUSED_WITHIN_MS)]
    return figures + await _redis(kills, chance)


async def _redis(kills: int, chance: random.Random) -> list[Figure]:
    if PROGRAM is None:
        return [Figure("Redis killed", None, "not run: there is no redis-server on this machine")]
    with tempfile.TemporaryDirectory() as folder:
        redis = RedisServer(Path(folder))
        await redis.start()
        try:
            async with inbox(0.04) as mails:
                settings = _settings(mails) | {"WHYLEFT_REDIS_URL": redis.url}
                async with standing(Path(folder), settings, workers=1) as stand:
                    crowd = Crowd(
                        [api.url for api in stand.apis], stand.key, stand.project_id, size=VISITORS, seed=SEED
                    )
                    crowd.start()
                    for _ in range(kills):
                        await asyncio.sleep(chance.uniform(0.2, 0.8))
                        await asyncio.to_thread(redis.kill)
                        await asyncio.sleep(chance.uniform(0.0, 0.5))
                        await redis.start()
                    return await _counted("Redis", stand, crowd, mails, kills)
        finally:
            redis.kill()


def _settings(mails: Inbox) -> dict[str, str]:
    return {
        "WHYLEFT_SMTP_URL": mails.url,
        "WHYLEFT_SHOP_URL": "https://shop.example",
        "WHYLEFT_LEASE_SECONDS": "5",
        "WHYLEFT_SESSION_GRACE_SECONDS": "1",
        "WHYLEFT_SESSION_QUIET_SECONDS": "600",
    }


async def _kill_by_turns(processes: Sequence[Process], kills: int, chance: random.Random) -> None:
    """Kills one after the other, each at a moment of its own after it was ready; it is started again at once."""
    for number in range(kills):
        process = processes[number % len(processes)]
        await process.ready()
        await asyncio.sleep(chance.uniform(0.0, 0.6))
        await asyncio.to_thread(process.kill)
        process.start()
    for process in processes:
        await process.ready()


async def _kill_postgres(
    stand: Stand, ledger: Ledger, kills: int, chance: random.Random
) -> tuple[list[float], list[float]]:
    """When each kill was, and the seconds from it to the first event that was acknowledged after it."""
    kills_at, recoveries = [], []
    for _ in range(kills):
        told = len(ledger.refusals)
        await stand.spare_keeper()
        # What was told while the server was stopped for its keeper's sake is no answer to a kill.
        del ledger.refusals[told:]
        await stand.answers()
        await asyncio.sleep(chance.uniform(0.2, 1.0))
        killed = await stand.kill_postgres()
        kills_at.append(killed)
        while ledger.last_acknowledged < killed + 0.05 and time.perf_counter() < killed + 60:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        recoveries.append(time.perf_counter() - killed)
    await stand.answers()
    return kills_at, recoveries


async def _counted(what: str, stand: Stand, crowd: Crowd, mails: Inbox, kills: int) -> list[Figure]:
    await crowd.leave()
    settled = await truth.settle(stand.database, stand.project_id, SETTLED_WITHIN)
    found = await truth.find(stand.database, stand.project_id, crowd.ledger, mails.received)
    if crowd.ledger.odd:
        print(f"bench.chaos: an answer that no client expects: {crowd.ledger.odd}", file=sys.stderr)
    return _figures(what, found, crowd.ledger, settled, kills)


def _figures(what: str, found: Truth, ledger: Ledger, settled: float | None, kills: int) -> list[Figure]:
    def none(name: str, value: int, of: int) -> Figure:
        return Figure(f"{what} killed: {name}", value, "", bar=0, holds=value == 0, n=of)

    odd = sum(n for answer, n in ledger.answers.items() if answer.isdecimal() and answer not in ("200", "503"))
    return [
        Figure(f"{what} killed", kills, "times", n=kills),
        none("acknowledged events lost", found.lost, len(ledger.acknowledged)),
        none("events stored twice", found.twice, found.events),
        none("events that nobody sent", found.invented, found.events),
        none("answers other than 200, 503", odd, sum(ledger.answers.values())),
        none("sessions not closed once", found.not_closed_once, found.sessions),
        none("sessions with a wrong count of events", found.miscounted, found.sessions),
        none("runs missing", found.runs_missing, found.sessions),
        none("runs started twice", found.runs_twice, found.sessions),
        none("runs given up", found.runs_dead, found.sessions),
        none("sessions with more actions than allowed", found.over_the_cap, found.sessions),
        none("mails lost", found.mails_lost, found.mails),
        none("mails sent twice", found.mails_twice, found.mails),
        Figure(f"{what} killed: mails listed as unknown", found.unknown, "", n=found.mails),
        Figure(
            f"{what} killed: all work done after",
            None if settled is None else round(settled, 1),
            f"not within {SETTLED_WITHIN:.0f} s" if settled is None else "s",
            bar=SETTLED_WITHIN,
            holds=settled is not None,
        ),
    ]


def _recovered(recoveries: Sequence[float]) -> Figure:
    worst = max(recoveries)
    return Figure(
        "PostgreSQL killed: first event acknowledged again, worst",
        round(worst, 2),
        "s",
        bar=RECOVERED_WITHIN,
        holds=worst <= RECOVERED_WITHIN,
        n=len(recoveries),
    )


def _refused(what: str, ledger: Ledger, kills: Sequence[float], bar: float | None) -> list[Figure]:
    """How long visitors waited to be told 503, of those who were told it since the last phase. Who had asked before
    the kill (``kills``: when each was, in order) waited for it from then on: what it takes a busy machine to answer is
    told elsewhere."""
    since = (0.0, *kills)
    waits = sorted((told - max(sent, since[bisect.bisect(since, told) - 1])) * 1000 for sent, told in ledger.refusals)
    if not waits:
        return []
    late = waits[int(len(waits) * 0.99)]
    name = f"{what} killed: told 503 meanwhile"
    return [
        Figure(f"{name}, p99", round(late, 1), "ms", bar, None if bar is None else late <= bar, len(waits)),
        Figure(f"{name}, worst", round(waits[-1], 1), "ms", n=len(waits)),
    ]


def _durable(holds: bool) -> Figure:
    return Figure("fsync and synchronous_commit are on", int(holds), "", bar=1, holds=holds)


def main() -> None:
    """Prints the table; with --json the last line is the result."""
    report("chaos-ingest", asyncio.run(run(option("--kills", KILLS_LONG if "--long" in sys.argv else KILLS))))
