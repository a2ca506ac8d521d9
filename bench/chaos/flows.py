"""Kills workers and PostgreSQL with signal 9 while flows send: is every run at its end, and nothing sent twice?

`python -m bench.chaos flows [--long] [--json]`: workers side by side, leases of 10 s. Visitors keep coming
(`bench.chaos.crowd`), and their providers take their time and now and then take a message and hang up. Every second
and a half a worker that is up is killed, the one that is up longest, once messages got through since the last kill;
now and then PostgreSQL falls instead. At last one of two workers is killed for good, and the other must drain the
queue. --long: 1,000 and 20 kills over 100,000 runs, about three quarters of an hour; --kills N: as many workers, and
fewer visitors accordingly; --minutes M: no more kills after so long.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bench.chaos.crowd import Crowd
from bench.chaos.ends import end_figures, ends_of
from bench.chaos.inbox import Inbox, inbox
from bench.chaos.provider import Receiver, make_certificate, platform, receiver, webhook
from bench.chaos.stand import Stand, standing
from bench.report import Figure, option, report

KILLS, KILLS_LONG = 16, 1_000
DEATHS, DEATHS_LONG = 2, 20
VISITORS_A_KILL = 34
"""So that 1,000 kills meet 100,000 runs."""
WORKERS = 6
EVERY = 1.5
"""Seconds from kill to kill, give or take a half."""
LAST = 100
"""Visitors before a worker dies for good."""
MOST_BEHIND = 100
"""Visitors that may still have to come when the next kill is due; it waits for them."""
TAKES = 0.03
DROPS = 0.02
COMMITS_END = 1.0
"""Seconds in which PostgreSQL ends what a dead worker had asked it to commit: until then nobody else sees it."""
LEASE = 10.0
SETTLED_WITHIN = 180.0
PATIENCE = 900.0
"""How long what takes longer than it may is waited for: what is lost must be told from what is late."""
TELLS_EVERY = 30.0
SEED = 20261121

# Whenever it is asked: what had begun by then, and whose end was not written down yet.
_IN_FLIGHT = text("""
SELECT id, channel FROM delivery WHERE created_at <= :at AND (status = 'intent' OR decided_at > :at)
""")
_DUE = text("""
SELECT (SELECT count(*) FROM flow_occurrence)
     + (SELECT count(*) FROM flow_run WHERE status IN ('waiting', 'sending') AND (attempts = 0 OR due_at <= now()))
""")


class Fire:
    """What kills. ``cut_off``: messages whose end nobody had written down when something was killed."""

    def __init__(self, crowd: Crowd, chance: random.Random) -> None:
        self.crowd = crowd
        self.stand: Stand = crowd.stand
        self.killed = 0
        self.deaths = 0
        self.cut_off: set[UUID] = set()
        self.mails_cut_off = 0
        self._chance = chance
        self._turn = 0

    async def burn(self, kills: int, deaths: int, seconds: float) -> None:
        """So many kills, PostgreSQL's spread among those of workers; none after ``seconds``."""
        began = told = time.perf_counter()
        due, got_through = began, 0
        while self.killed < kills and time.perf_counter() - began < seconds:
            self.crowd.wanted = (self.killed + 1) * VISITORS_A_KILL
            due += EVERY * self._chance.uniform(0.5, 1.5)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            while not self._kept_up(got_through):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            got_through = self.crowd.arrived()
            await self._kill_worker()
            if self.deaths * kills < self.killed * deaths - kills // 2:
                await self._kill_postgres()
            due = max(due, time.perf_counter() - EVERY)
            if time.perf_counter() - told > TELLS_EVERY:
                told = time.perf_counter()
                self.tell(kills, told - began)

    def _kept_up(self, got_through: int) -> bool:
        """Whether something was done since the last kill, and the visitors who belong to this one are coming."""
        crowd = self.crowd
        return crowd.arrived() > got_through and crowd.wanted - len(crowd.visitors) < MOST_BEHIND

    async def _kill_worker(self) -> None:
        """The one that is up longest; it is started again at once."""
        worker = self.stand.workers[self._turn % len(self.stand.workers)]
        self._turn += 1
        await worker.ready()
        await asyncio.to_thread(worker.kill)
        at = datetime.now(UTC)
        self.killed += 1
        worker.start()
        await asyncio.sleep(COMMITS_END)
        await self.note_in_flight(at)

    async def _kill_postgres(self) -> None:
        """The server and all its children; its keeper starts it again."""
        await self.stand.spare_keeper()
        await self.note_in_flight(datetime.now(UTC))
        await self.stand.kill_postgres()
        at = datetime.now(UTC)
        self.deaths += 1
        await self.stand.answers()
        await self.note_in_flight(at)

    async def note_in_flight(self, at: datetime) -> None:
        """Messages whose intent was committed and whose end nobody had written down."""
        for _ in range(600):
            try:
                async with self.stand.database.transaction(self.stand.project_id) as tx:
                    found = {row.id: row.channel for row in await tx.execute(_IN_FLIGHT, {"at": at})}
                    new = found.keys() - self.cut_off
                    self.mails_cut_off += sum(found[one] == "email" for one in new)
                    self.cut_off |= new
                    return
            except (SQLAlchemyError, OSError):
                await asyncio.sleep(0.05)

    def tell(self, kills: int, seconds: float) -> None:
        """A line on how far it is, for whoever waits."""
        crowd = self.crowd
        print(
            f"bench.chaos flows: {seconds:,.0f} s, {self.killed:,} of {kills:,} workers and {self.deaths} times "
            f"PostgreSQL killed, {len(crowd.visitors):,} visitors, {crowd.arrived():,} messages got through",
            file=sys.stderr,
            flush=True,
        )

    async def settled(self, within: float) -> float | None:
        """Seconds until nothing is due any more; None when it still was after ``within``."""
        began = time.perf_counter()
        while time.perf_counter() - began < within:
            try:
                async with self.stand.database.transaction(self.stand.project_id) as tx:
                    if await tx.scalar(_DUE) == 0:
                        return time.perf_counter() - began
            except (SQLAlchemyError, OSError):
                pass
            await asyncio.sleep(0.2)
        return None


async def run(*, kills: int, deaths: int, seconds: float) -> list[Figure]:
    """The figures of one run."""
    chance = random.Random(SEED)  # noqa: S311  no secret: when to kill
    with tempfile.TemporaryDirectory() as named:
        folder = Path(named)
        certificate = make_certificate(folder / "provider.pem")
        async with (
            inbox(TAKES, drops=DROPS, chance=chance) as mails,
            receiver(webhook, TAKES, DROPS, chance) as hooks,
            receiver(platform, TAKES, DROPS, chance, certificate) as told,
            standing(folder, _settings(mails, hooks, certificate), apis=1, workers=WORKERS) as stand,
            Crowd(stand, mails, hooks, told) as crowd,
        ):
            await crowd.publish(folder)
            await crowd.poison()
            fire = Fire(crowd, chance)
            coming = asyncio.create_task(crowd.keep_coming())
            began = time.perf_counter()
            await fire.burn(kills, deaths, seconds)
            burnt = time.perf_counter() - began
            fire.tell(kills, burnt)
            await _all_came(crowd)
            settled = await fire.settled(PATIENCE)
            drained = await _one_node_dies(fire)
            coming.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await coming
            ends = await ends_of(crowd, fire.cut_off)
            return [
                Figure("workers killed", fire.killed, "times"),
                Figure("PostgreSQL killed", fire.deaths, "times"),
                Figure("from the first kill to the last", round(burnt), "s"),
                *end_figures(ends, crowd, fire.mails_cut_off + len(mails.dropped)),
                _within("all work done after the kills", settled, SETTLED_WITHIN),
                _within("a worker dies for good: its work is done after", drained, LEASE + 5),
            ]


async def _one_node_dies(fire: Fire) -> float | None:
    """Seconds after one of two workers died for good until the other has done its work as well."""
    crowd, workers = fire.crowd, fire.stand.workers
    for receiver_ in (crowd.mails, crowd.hooks, crowd.told):
        receiver_.drops = 0.0  # what is hung up on is tried again later, whoever lives
    await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in workers[2:]))
    crowd.wanted = len(crowd.visitors) + LAST
    await _all_came(crowd)
    await asyncio.to_thread(workers[0].kill)
    at = datetime.now(UTC)
    await asyncio.sleep(COMMITS_END)
    await fire.note_in_flight(at)
    return await fire.settled(PATIENCE)


async def _all_came(crowd: Crowd) -> None:
    until = time.perf_counter() + PATIENCE
    while len(crowd.visitors) < crowd.wanted and time.perf_counter() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def _settings(mails: Inbox, hooks: Receiver, certificate: Path) -> dict[str, str]:
    return {
        "WHYLEFT_SMTP_URL": mails.url,
        "WHYLEFT_WEBHOOK_URL": hooks.url,
        "WHYLEFT_WEBHOOK_SECRET": "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "WHYLEFT_WEBHOOK_ALLOW_PRIVATE": "yes",
        "WHYLEFT_SHOP_URL": "https://shop.example",
        "WHYLEFT_LEASE_SECONDS": str(int(LEASE)),
        "SSL_CERT_FILE": str(certificate),
    }


def _within(name: str, seconds: float | None, bar: float) -> Figure:
    value = None if seconds is None else round(seconds, 1)
    unit = f"not within {PATIENCE:.0f} s" if seconds is None else "s"
    return Figure(name, value, unit, bar=bar, holds=seconds is not None and seconds <= bar)


def main() -> None:
    """Prints the table; with --json the last line is the result."""
    kills, deaths = (KILLS_LONG, DEATHS_LONG) if "--long" in sys.argv else (KILLS, DEATHS)
    seconds = option("--minutes", 24 * 60) * 60.0
    report("chaos-flows", asyncio.run(run(kills=option("--kills", kills), deaths=deaths, seconds=seconds)))
