"""A second of delay and broken connections on database, model and mail provider: what deciding takes meanwhile, and
whether everything is there afterwards."""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

from adapters.postgres.engine import DatabaseUrls
from bench.attack.slow_line import SlowLine, slow_port, slow_socket
from bench.chaos import truth
from bench.chaos.client import Crowd
from bench.chaos.inbox import inbox
from bench.chaos.stand import Stand, standing
from bench.report import Figure
from bench.scripted_llm import Answer, completion, good, is_converted, listening
from flows.models import Delivery

DELAY = 1.0
RESETS = 0.05
MOST_DECIDING_MS = 100.0
DRAINED_WITHIN = 60.0
VISITORS = 8
SEED = 20261121
SLOWEST_COMMIT = 12.0
"""Seconds until whatever waited for a slow database was answered."""
DECIDING = ("decode", "intent", "rank")
WAITING = ("profile", "record")
"""Stages that ask the database: who is new must be looked up, and what is acknowledged is committed. With the database
a second away these take seconds, and that is meant; deciding does not."""


async def slowness(seconds: float) -> list[Figure]:
    """The figures; each fault lasts ``seconds``."""
    chance = random.Random(SEED)  # noqa: S311  (no secret: which connection breaks)
    figures: list[Figure] = []
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mails = await stack.enter_async_context(inbox(0.01))
        model = await stack.enter_async_context(listening(_names_a_reason))
        mail_line, mail_port = await stack.enter_async_context(slow_port(_port(mails.url), chance))
        model_line, model_port = await stack.enter_async_context(slow_port(_port(model.url), chance))
        lines: dict[str, SlowLine] = {"model": model_line, "provider": mail_line}

        async def through(urls: DatabaseUrls) -> DatabaseUrls:
            real = _socket_of(urls.app)
            near = folder / "near"
            near.mkdir()
            lines["database"] = await stack.enter_async_context(slow_socket(real, near / real.name, chance))
            return DatabaseUrls(
                owner=urls.owner.replace(str(real.parent), str(near)), app=urls.app.replace(str(real.parent), str(near))
            )

        settings = {
            "WHYLEFT_SMTP_URL": f"smtp://127.0.0.1:{mail_port}",
            "WHYLEFT_LLM_BASE_URL": f"http://127.0.0.1:{model_port}/v1",
            "WHYLEFT_LLM_API_KEY": "none",
            "WHYLEFT_LLM_DEADLINE_SECONDS": "3",
            "WHYLEFT_SHOP_URL": "https://shop.example",
            "WHYLEFT_LEASE_SECONDS": "10",
            "WHYLEFT_SESSION_GRACE_SECONDS": "1",
            "WHYLEFT_SESSION_QUIET_SECONDS": "600",
        }
        stand = await stack.enter_async_context(standing(folder, settings, apis=1, workers=1, through=through))
        crowd = Crowd([api.url for api in stand.apis], stand.key, stand.project_id, size=VISITORS, seed=SEED)
        crowd.start()
        await asyncio.sleep(seconds / 2)
        for name in ("database", "model", "provider"):
            for what, delay, resets in (("a second late", DELAY, 0.0), ("connections break", 0.0, RESETS)):
                figures += await _struck(stand, lines[name], f"{name}, {what}", delay, resets, seconds)
        await crowd.leave()
        drained = await truth.settle(stand.database, stand.project_id, DRAINED_WITHIN)
        found = await truth.find(stand.database, stand.project_id, crowd.ledger, mails.received)
        async with stand.database.transaction(stand.project_id) as tx:
            sent = select(Delivery.recipient).where(Delivery.channel == "email", Delivery.status == "accepted")
            taken = set(await tx.scalars(sent))
    if crowd.ledger.odd:
        print(f"  an answer that no client expects: {crowd.ledger.odd}", file=sys.stderr)
    done = drained is not None
    return [
        *figures,
        Figure("slow and broken lines: backlog drained", drained and round(drained, 1), "s", DRAINED_WITHIN, done),
        _none("acknowledged events lost", found.lost, len(crowd.ledger.acknowledged)),
        _none("events stored twice", found.twice, found.events),
        _none("mails taken and not there", len(taken - mails.received.keys()), len(taken)),
        _none("mails sent twice", found.mails_twice, found.mails),
        _none("sessions not closed once", found.not_closed_once, found.sessions),
        Figure("slow and broken lines: mails listed as unknown", found.unknown, "", n=found.mails),
    ]


async def _struck(stand: Stand, line: SlowLine, name: str, delay: float, resets: float, seconds: float) -> list[Figure]:
    """The 99th percentile of deciding while a line is slow or breaks, and of what waits for the database meanwhile."""
    before, carried, broken = await _stages(stand), line.carried, line.broken
    line.delay, line.resets = delay, resets
    await asyncio.sleep(seconds)
    line.delay = line.resets = 0.0
    until = time.perf_counter() + SLOWEST_COMMIT
    while True:
        after = await _stages(stand)
        spent = {
            stage: {border: n - before[stage].get(border, 0.0) for border, n in after[stage].items()} for stage in after
        }
        decided = int(spent["record"].get(float("inf"), 0.0))
        if decided >= VISITORS or time.perf_counter() > until:
            break
        await asyncio.sleep(0.2)
    # Stages are counted apart: the sum of their percentiles is no less than the percentile of their sum would be.
    deciding, waiting = (sum(_at(spent[stage], 0.99) for stage in stages) * 1000 for stages in (DECIDING, WAITING))
    struck = f"{line.carried - carried} parts carried, {line.broken - broken} broke"
    print(f"  {name}: {struck}", file=sys.stderr)
    longer = waiting == float("inf")
    return [
        Figure(
            f"{name}: decision p99, at most",
            round(deciding, 1),
            "ms",
            MOST_DECIDING_MS,
            decided > 0 and deciding <= MOST_DECIDING_MS,
            decided,
        ),
        Figure(
            f"{name}: waiting for the database, p99, at most",
            1_000.0 if longer else round(waiting, 1),
            "ms, or more" if longer else "ms",
            n=decided,
        ),
    ]


def _names_a_reason(request: dict[str, Any]) -> Answer:
    """A model whose reasons start the flows that send mails."""
    return completion(good(request) if is_converted(request) else good(request, reason="price_hesitation"))


async def _stages(stand: Stand) -> dict[str, dict[float, float]]:
    """Stage → upper border in seconds → how many took no longer."""
    found: dict[str, dict[float, float]] = {stage: {} for stage in (*DECIDING, *WAITING)}
    async with httpx.AsyncClient() as client:
        text = (await client.get(stand.apis[0].metrics_url)).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "whyleft_stage_seconds_bucket" and sample.labels["stage"] in found:
                found[sample.labels["stage"]][float(sample.labels["le"])] = sample.value
    return found


def _at(counts: dict[float, float], share: float) -> float:
    """The border that ``share`` of them did not pass; 0 where nothing was counted."""
    total = counts.get(float("inf"), 0.0)
    return next((border for border in sorted(counts) if total and counts[border] >= share * total), 0.0)


def _none(name: str, value: int, of: int) -> Figure:
    return Figure(f"slow and broken lines: {name}", value, "", 0, value == 0, of)


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def _socket_of(url: str) -> Path:
    """The socket file of a database URL."""
    given = dict(part.split("=", 1) for part in urlsplit(url).query.split("&"))
    return Path(given["host"].replace("%2F", "/")) / f".s.PGSQL.{given['port']}"


if __name__ == "__main__":
    from bench.report import report

    report("attack-slowness", asyncio.run(slowness(float(sys.argv[1]) if len(sys.argv) > 1 else 6.0)))
