"""Whether the send gate is exact and one flow's trouble its own: races with purchases, caps, poison, sends a second."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text

from adapters.postgres.engine import Database
from bench.flow_stand import Bench, FarSide, percentile
from bench.report import Figure
from flows.triggers import record_conversion

ROUND = 100
"""Runs that race at a time, each with a purchase of its visitor."""
WORKERS = 50
CAP = 3
SENDS = 500
POISONED = 100
GOOD, GOOD_EVERY_MS = 60, 50
PATIENCE = 60.0
OTHERS_BAR_MS = 1_000.0
SEED = 20261121

_SEND = {"do": "send", "action": "send_email", "params": {"message": "cart_reminder"}}
_SENT_TO = """
SELECT run.visitor_id, count(*) FROM delivery JOIN flow_run AS run ON run.id = run_id
WHERE run.flow_id = :flow AND delivery.status = 'accepted' GROUP BY run.visitor_id
"""
_LATE = """
SELECT extract(epoch FROM ended_at - CAST(trigger_key AS timestamptz)) * 1000 FROM flow_run
WHERE flow_id = :flow AND status = 'done' AND started_at >= :since
"""


async def gate_figures(bench: Bench, *, races: int, persons: int) -> list[Figure]:
    """All of them."""
    return [await _sends(bench), *await _races(bench, races), await _caps(bench, persons), *await _poison(bench)]


async def _sends(bench: Bench) -> Figure:
    """Runs that each send one message, which its provider accepts at once: two transactions a run."""
    await bench.publish("sends", {"s0": _SEND})
    bench.fill("sends", SENDS, "now()")
    runner = bench.runner(FarSide())
    began = time.perf_counter()
    while await runner.run_due():
        pass
    return Figure("runs that send a message", round(SENDS / (time.perf_counter() - began)), "runs/s", n=SENDS)


async def _races(bench: Bench, races: int) -> list[Figure]:
    """Purchases at the very moment at which their visitor's run is to send."""
    await bench.publish("race", {"s0": _SEND})
    chance = random.Random(SEED)  # noqa: S311  no secret: when they buy
    far = FarSide()
    runner = bench.runner(far)
    after, first = 0, 0
    span = 0.2
    for start in range(0, races, ROUND):
        bench.fill("race", min(ROUND, races - start), "now()")
        async with bench.database.transaction(bench.project_id) as tx:
            query = text("SELECT visitor_id FROM flow_run WHERE flow_id = :flow AND due_at IS NOT NULL")
            visitors = list(await tx.scalars(query, {"flow": bench.flows["race"][0]}))
        far.composed_at.clear()
        began = time.perf_counter()
        _, bought_at = await asyncio.gather(_drained(runner.run_due), _buy(bench, visitors, chance, span))
        # The next purchases are spread over as long as this round of sends took.
        span = max(far.composed_at.values(), default=began + span) - began
        after += sum(far.composed_at.get(visitor, 0.0) > at for visitor, at in bought_at.items())
        first += sum(visitor not in far.composed_at for visitor in visitors)
    return [
        Figure("sends begun after their visitor's purchase", after, "", bar=0, holds=after == 0, n=races),
        Figure("of these races the purchase was first in", first, "", n=races),
    ]


async def _drained(run_due: Callable[[], Awaitable[int]]) -> None:
    while await run_due():
        pass


async def _buy(bench: Bench, visitors: list[UUID], chance: random.Random, span: float) -> dict[UUID, float]:
    """When each visitor's purchase was committed, at moments of their own within ``span`` seconds."""
    bought_at: dict[UUID, float] = {}
    places = asyncio.Semaphore(8)

    async def buy(visitor: UUID, pause: float) -> None:
        await asyncio.sleep(pause)
        async with places:
            now = datetime.now(UTC)
            async with bench.database.transaction(bench.project_id) as tx:
                await record_conversion(
                    tx,
                    bench.project_id,
                    visitor,
                    key=f"race-{visitor}",
                    occurred_at=now,
                    value_minor=100,
                    currency="EUR",
                    now=now,
                )
            bought_at[visitor] = time.perf_counter()

    await asyncio.gather(*(buy(visitor, chance.uniform(0, span)) for visitor in visitors))
    return bought_at


async def _caps(bench: Bench, persons: int) -> Figure:
    """Fifty workers, each at one of the fifty runs of a person who may get three messages a day."""
    await bench.publish("capped", {"s0": _SEND}, caps=[{"most": CAP, "within": "P1D"}])
    visitor = f"('00000000-0000-4000-8000-' || lpad(mod(n, {persons})::text, 12, '0'))::uuid"
    bench.fill("capped", persons * WORKERS, "now()", visitor=visitor)
    database = Database(bench.urls, pool_size=WORKERS // 2)
    try:
        workers = [bench.runner(FarSide(), database=database, batch=1) for _ in range(WORKERS)]
        await asyncio.gather(*(_drained(worker.run_due) for worker in workers))
    finally:
        await database.close()
    async with bench.database.transaction(bench.project_id) as tx:
        got = Counter({row[0]: row[1] for row in await tx.execute(text(_SENT_TO), {"flow": bench.flows["capped"][0]})})
    wrong = sum(count != CAP for count in got.values()) + persons - len(got)
    name = f"people with more or fewer than {CAP} of {WORKERS} messages, {WORKERS} workers"
    return Figure(name, wrong, "", bar=0, holds=wrong == 0, n=persons)


async def _poison(bench: Bench) -> list[Figure]:
    """How much later the runs of a good flow are while two others have all hands full: one whose provider never
    answers, one whose steps fail."""
    await bench.publish("hangs", {"s0": _SEND | {"params": {"message": "cart_reminder", "hangs": "yes"}}})
    await bench.publish("raises", {"s0": _SEND | {"params": {"message": "cart_reminder", "raises": "yes"}}})
    await bench.publish("good", {"s0": {"do": "wait", "for": "PT0.001S", "next": "s1"}, "s1": _SEND})
    alone = await _lateness(bench)
    bench.fill("hangs", POISONED, "now()")
    bench.fill("raises", POISONED, "now()")
    beside = await _lateness(bench)
    hanging = await bench.unfinished("hangs")
    later = round(percentile(beside, 99) - percentile(alone, 99), 1)
    holds = later <= OTHERS_BAR_MS and len(alone) == len(beside) == GOOD and hanging > 0
    return [
        Figure("a run's message is out, p99", percentile(alone, 99), "ms late", n=len(alone)),
        Figure(
            "later beside a flow that hangs and one that fails, p99",
            later,
            "ms",
            bar=OTHERS_BAR_MS,
            holds=holds,
            n=len(beside),
        ),
    ]


async def _lateness(bench: Bench) -> list[float]:
    """How many milliseconds late each of a good flow's runs has sent, whose times come one after the other."""
    due = f"now() + interval '2 seconds' + n * interval '{GOOD_EVERY_MS} ms'"
    since = datetime.now(UTC)
    bench.fill("good", GOOD, due, key=f"({due})::text")
    far, stop = FarSide(), asyncio.Event()
    serving = asyncio.create_task(bench.runner(far).serve(stop))
    began = time.perf_counter()
    while await bench.unfinished("good") and time.perf_counter() - began < PATIENCE:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    stop.set()
    far.go_on.set()
    await serving
    async with bench.database.transaction(bench.project_id) as tx:
        rows = await tx.execute(text(_LATE), {"flow": bench.flows["good"][0], "since": since})
        return [float(row[0]) for row in rows]
