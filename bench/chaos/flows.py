"""Kills workers and PostgreSQL with signal 9 while flows send: is every run at its end, and nothing sent twice?

`python -m bench.chaos flows [--long] [--json]`: two workers, leases of 5 s. Each visitor starts a run that writes
through a mail provider that delivers every copy, and one that calls a webhook whose receiver honours keys; both take
their time and now and then take a message and hang up. Beside them runs of a poison flow fail whatever is done. First
workers are killed, then PostgreSQL; before each kill its share of the visitors comes. At last one worker is killed for
good, and the other must drain the queue. --long: 1,000 and 20 kills over 100,000 runs, an hour; --kills N: as many
workers, and fewer visitors accordingly; --minutes M: no more of them after so long.
"""

from __future__ import annotations

import asyncio
import math
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bench.chaos.inbox import Inbox, inbox
from bench.chaos.provider import Receiver, receiver
from bench.chaos.stand import Stand, standing
from bench.report import Figure, option, report
from flows.definition import FlowDefinition
from insights.recovery.publish import publish_flow
from insights.vocabulary.ids import uuid7

KILLS, KILLS_LONG = 8, 1_000
DEATHS, DEATHS_LONG = 2, 20
SHARE, SHARE_LONG = 40, 49
"""Visitors before each kill; each starts two runs."""
LAST = 100
"""Visitors before a worker dies for good."""
AT_A_TIME = 8
POISONED = 5
TAKES = 0.03
DROPS = 0.02
LEASE = 5.0
SETTLED_WITHIN = 180.0
PATIENCE = 900.0
"""How long what takes longer than it may is waited for: what is lost must be told from what is late."""
SEED = 20261121

_WAIT = {"do": "wait", "for": "PT0.05S"}
FLOWS: dict[str, dict[str, Any]] = {
    "mail": {
        "pause": _WAIT | {"next": "mail"},
        "mail": {"do": "send", "action": "send_email", "params": {"message": "saved_cart_help"}, "next": "rest"},
        "rest": _WAIT,
    },
    "hook": {
        "pause": _WAIT | {"next": "hook"},
        "hook": {"do": "send", "action": "call_webhook", "next": "rest"},
        "rest": _WAIT,
    },
    "poison": {
        "pause": {"do": "wait", "for": "PT5S", "next": "hook"},
        "hook": {"do": "send", "action": "call_webhook"},
    },
}
_DUE = """
SELECT (SELECT count(*) FROM flow_occurrence)
     + (SELECT count(*) FROM flow_run WHERE status IN ('waiting', 'sending') AND (attempts = 0 OR due_at <= now()))
"""
_ENDS = """
SELECT flow.name, run.status, count(*) FROM flow_run AS run JOIN flow ON flow.id = run.flow_id
WHERE flow.name IN ('mail', 'hook', 'poison') GROUP BY 1, 2
"""
_MAILED = """
SELECT run.visitor_id FROM flow_run AS run JOIN flow ON flow.id = run.flow_id
WHERE flow.name = 'mail' AND run.status = 'done'
"""
_SENT = {("webhook", "accepted"), ("webhook", "unknown")}


class Chaos:
    """An installation under fire. ``in_flight``: sends that a kill may have cut off."""

    def __init__(self, stand: Stand, mails: Inbox, hooks: Receiver, chance: random.Random) -> None:
        self.stand = stand
        self.mails = mails
        self.hooks = hooks
        self.chance = chance
        self.visitors: dict[UUID, str] = {}
        self.in_flight = 0
        self._places = asyncio.Semaphore(AT_A_TIME)
        self._client = httpx.AsyncClient(timeout=10)

    async def __aenter__(self) -> Chaos:
        return self

    async def __aexit__(self, *why: object) -> None:
        await self._client.aclose()

    async def publish(self) -> None:
        """The flows of both channels, and the one that fails."""
        for name, steps in FLOWS.items():
            trigger = {"on": "event", "event": "custom", "name": "poison" if name == "poison" else "go"}
            body = {"name": name, "trigger": trigger, "start": "pause", "steps": steps}
            async with self.stand.database.transaction(self.stand.project_id) as tx:
                await publish_flow(tx, self.stand.project_id, FlowDefinition.model_validate(body), datetime.now(UTC))

    async def visit(self, name: str) -> None:
        """One visitor who may be written to, and the event that starts the flows; sent until it is acknowledged."""
        now, visitor = int(time.time() * 1000), uuid4()
        mail = f"{visitor.hex}@example.org"
        if name == "go":
            self.visitors[visitor] = mail
        events = [
            {"type": "identified", "props": {"email": mail}},
            {"type": "consent_changed", "props": {"marketing": True}},
            {"type": "custom", "props": {"name": name}},
        ]
        batch = {
            "visitor": str(visitor),
            "session": str(uuid7(now)),
            "tab": "t",
            "sent_at": now,
            "page": {"url": "https://shop.example/cart"},
            "events": [{"id": str(uuid7(now)), "seq": n, "t": now, **event} for n, event in enumerate(events)],
        }
        while True:
            try:
                url = f"{self.stand.apis[0].url}/v1/events?key={self.stand.key}"
                if (await self._client.post(url, json=batch)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)

    async def crowd(self, visitors: int) -> None:
        """So many visitors, a few at a time."""

        async def one() -> None:
            async with self._places:
                await self.visit("go")

        await asyncio.gather(*(one() for _ in range(visitors)))

    async def poison(self) -> None:
        """Runs whose facts no message can be made of: each fails, whoever tries."""
        for _ in range(POISONED):
            await self.visit("poison")
        poison = text("UPDATE flow_run SET facts = '[]' FROM flow WHERE flow.id = flow_id AND flow.name = 'poison'")
        for _ in range(40):  # a worker starts the runs a moment later
            await asyncio.sleep(0.1)
            async with self.stand.database.transaction(self.stand.project_id) as tx:
                found = await tx.execute(poison)
            if getattr(found, "rowcount", 0) == POISONED:
                return

    async def under_fire(
        self, kill: Callable[[int], Awaitable[None]], kills: int, share: int, *, seconds: float = math.inf
    ) -> int:
        """So many kills, each while its share of visitors is coming; none after ``seconds``. Returns how many."""
        began, coming = time.perf_counter(), []
        for number in range(kills):
            if time.perf_counter() - began > seconds:
                break
            coming.append(asyncio.create_task(self.crowd(share)))
            await kill(number)
        await asyncio.gather(*coming)
        return len(coming)

    async def kill_worker(self, number: int) -> None:
        """One after the other, each at a moment of its own; it is started again at once."""
        worker = self.stand.workers[number % len(self.stand.workers)]
        await worker.ready()
        await asyncio.sleep(self.chance.uniform(0.0, 0.8))
        await asyncio.to_thread(worker.kill)
        self.in_flight += await self._intents()
        worker.start()

    async def kill_postgres(self, number: int) -> None:
        """The server and all its children; its keeper starts it again."""
        await asyncio.sleep(self.chance.uniform(0.5, 1.5))
        self.in_flight += await self._intents()
        await self.stand.kill_postgres()
        await self.stand.answers()

    async def _intents(self) -> int:
        """Mails whose intent is committed and whose end nobody has written down."""
        for _ in range(200):
            try:
                async with self.stand.database.transaction(self.stand.project_id) as tx:
                    query = text("SELECT count(*) FROM delivery WHERE channel = 'email' AND status = 'intent'")
                    return int(await tx.scalar(query) or 0)
            except (SQLAlchemyError, OSError):
                await asyncio.sleep(0.05)
        return 0

    async def settled(self, within: float) -> float | None:
        """Seconds until nothing is due any more; None when it still was after ``within``."""
        began = time.perf_counter()
        while time.perf_counter() - began < within:
            try:
                async with self.stand.database.transaction(self.stand.project_id) as tx:
                    if await tx.scalar(text(_DUE)) == 0:
                        return time.perf_counter() - began
            except (SQLAlchemyError, OSError):
                pass
            await asyncio.sleep(0.2)
        return None


async def run(*, kills: int, deaths: int, share: int, seconds: float) -> list[Figure]:
    """The figures of one run."""
    chance = random.Random(SEED)  # noqa: S311  no secret: when to kill
    with tempfile.TemporaryDirectory() as folder:
        async with (
            inbox(TAKES, drops=DROPS, chance=chance) as mails,
            receiver(TAKES, DROPS, chance) as hooks,
            standing(Path(folder), _settings(mails, hooks), apis=1) as stand,
            Chaos(stand, mails, hooks, chance) as chaos,
        ):
            await chaos.publish()
            await chaos.poison()
            killed = await chaos.under_fire(chaos.kill_worker, kills, share, seconds=seconds)
            for worker in stand.workers:
                await worker.ready()
            await chaos.under_fire(chaos.kill_postgres, deaths, share)
            settled = await chaos.settled(PATIENCE)
            drained = await _one_node_dies(chaos, LAST)
            return await _figures(chaos, killed, deaths, settled, drained)


async def _one_node_dies(chaos: Chaos, visitors: int) -> float | None:
    """Seconds after a worker died for good until the other has done its work as well."""
    chaos.mails.drops = chaos.hooks.drops = 0.0  # what is hung up on is tried again later, whoever lives
    await chaos.crowd(visitors)
    await asyncio.to_thread(chaos.stand.workers[0].kill)
    chaos.in_flight += await chaos._intents()
    return await chaos.settled(PATIENCE)


def _settings(mails: Inbox, hooks: Receiver) -> dict[str, str]:
    return {
        "WHYLEFT_SMTP_URL": mails.url,
        "WHYLEFT_WEBHOOK_URL": hooks.url,
        "WHYLEFT_WEBHOOK_SECRET": "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "WHYLEFT_WEBHOOK_ALLOW_PRIVATE": "yes",
        "WHYLEFT_SHOP_URL": "https://shop.example",
        "WHYLEFT_LEASE_SECONDS": str(int(LEASE)),
    }


async def _figures(chaos: Chaos, kills: int, deaths: int, settled: float | None, drained: float | None) -> list[Figure]:
    async with chaos.stand.database.transaction(chaos.stand.project_id) as tx:
        ends: dict[str, dict[str, int]] = {}
        for name, status, count in await tx.execute(text(_ENDS)):
            ends.setdefault(name, {})[status] = count
        query = text("SELECT visitor_id, channel, run_id::text, status FROM delivery")
        sent = (await tx.execute(query)).all()
        mailed = set(await tx.scalars(text(_MAILED)))
        unseen = int(await tx.scalar(text("SELECT count(*) FROM flow_occurrence")) or 0)
    visitors = len(chaos.visitors)
    both = [ends.get(name, {}) for name in ("mail", "hook")]
    # What an event that no worker has seen to yet will start: a run of each flow.
    under_way = sum(end.get("waiting", 0) + end.get("sending", 0) for end in both) + 2 * unseen
    lost = max(0, 2 * visitors - sum(end.get("done", 0) for end in both) - under_way)
    unknown = {row.visitor_id for row in sent if row.channel == "email" and row.status == "unknown"}
    mails_lost = sum(
        mail not in chaos.mails.received
        for visitor, mail in chaos.visitors.items()
        if visitor in mailed and visitor not in unknown
    )
    mails_twice = sum(count - 1 for count in chaos.mails.received.values())
    hooks_lost = sum(row.run_id not in chaos.hooks.done for row in sent if (row.channel, row.status) in _SENT)
    hooks_twice = sum(count - 1 for count in chaos.hooks.done.values())
    hooks_unknown = sum(row.channel == "webhook" and row.status == "unknown" for row in sent)
    might = chaos.in_flight + chaos.mails.dropped
    poison = ends.get("poison", {})

    def none(name: str, value: int, of: int) -> Figure:
        return Figure(name, value, "", bar=0, holds=value == 0, n=of)

    return [
        Figure("workers killed", kills, "times"),
        Figure("PostgreSQL killed", deaths, "times"),
        none("runs lost", lost, visitors * 2),
        none("runs not at their end when it was counted", under_way, visitors * 2),
        none("mails lost, to a provider that delivers every copy", mails_lost, visitors),
        none("mails sent twice", mails_twice, sum(chaos.mails.received.values())),
        none("webhooks lost", hooks_lost, visitors),
        none("webhooks done twice, by a receiver that honours keys", hooks_twice, chaos.hooks.calls),
        none("webhooks unknown", hooks_unknown, visitors),
        Figure(
            "mails listed as unknown, of those cut off or hung up on",
            len(unknown),
            "",
            bar=might,
            holds=len(unknown) <= might,
            n=visitors,
        ),
        Figure(
            "poisoned runs that are put aside or wait for their next try",
            poison.get("dead", 0) + poison.get("waiting", 0),
            "",
            bar=POISONED,
            holds=poison.get("dead", 0) + poison.get("waiting", 0) == POISONED,
            n=POISONED,
        ),
        _within("all work done after the kills", settled, SETTLED_WITHIN),
        _within("a worker dies for good: its work is done after", drained, LEASE + 5),
    ]


def _within(name: str, seconds: float | None, bar: float) -> Figure:
    value = None if seconds is None else round(seconds, 1)
    unit = f"not within {PATIENCE:.0f} s" if seconds is None else "s"
    return Figure(name, value, unit, bar=bar, holds=seconds is not None and seconds <= bar)


def main() -> None:
    """Prints the table; with --json the last line is the result."""
    long = "--long" in sys.argv
    kills, deaths, share = (KILLS_LONG, DEATHS_LONG, SHARE_LONG) if long else (KILLS, DEATHS, SHARE)
    seconds = option("--minutes", 24 * 60) * 60.0
    report(
        "chaos-flows",
        asyncio.run(run(kills=option("--kills", kills), deaths=deaths, share=share, seconds=seconds)),
    )
