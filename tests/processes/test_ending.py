"""How processes end: told, told twice, and with their parent."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import psutil
import pytest
from sqlalchemy import select

from insights.models import Event
from tests.e2e.server import until
from tests.processes.conftest import Installation
from tests.processes.started import Started, batch, retried


async def _stored(installation: Installation) -> set[UUID]:
    async with installation.database.transaction(installation.project_id) as tx:
        return set(await tx.scalars(select(Event.id)))


async def _client(url: str, acknowledged: list[str], until_done: asyncio.Event) -> None:
    """Posts batch after batch until the server is gone; remembers what was acknowledged."""
    async with httpx.AsyncClient(timeout=30) as client:
        while not until_done.is_set():
            body = batch()
            try:
                answer = await client.post(url, json=body)
            except httpx.TransportError:
                return
            assert answer.status_code in (200, 503)
            if answer.status_code == 200:
                acknowledged += [event["id"] for event in body["events"]]


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_told_to_end_under_load_it_loses_nothing_it_acknowledged(
    installation: Installation, workers: str
) -> None:
    process = await installation.ready("api", "--workers", workers)
    acknowledged: list[str] = []
    gone = asyncio.Event()
    clients = [asyncio.create_task(_client(installation.events(process), acknowledged, gone)) for _ in range(8)]
    await until(lambda: _more_than(acknowledged, 300))
    process.signal()
    code = await process.ended()
    gone.set()
    await asyncio.gather(*clients)
    assert code == 0
    assert {UUID(identifier) for identifier in acknowledged} <= await _stored(installation)


async def _more_than(things: list[Any], count: int) -> bool:
    return len(things) > count


async def test_while_it_drains_it_says_so_and_still_answers(installation: Installation) -> None:
    process = await installation.ready("api", WHYLEFT_DRAIN_DELAY_SECONDS="3")
    process.signal()

    async def draining() -> bool:
        said = await process.readiness()
        return said is not None and said[0] == 503 and said[1].startswith("draining")

    await until(draining, 2)
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{process.url}/readyz")).status_code == 503
        assert (await client.get(f"{process.url}/healthz")).status_code == 200
        await retried(client, installation.events(process), batch(), 2)
    assert await process.ended() == 0


async def test_told_twice_it_ends_at_once(installation: Installation) -> None:
    process = await installation.ready("api", WHYLEFT_DRAIN_DELAY_SECONDS="600")
    process.signal()
    await until(lambda: _not_ready(process))
    process.signal()
    assert await process.ended(5) == 128 + signal.SIGTERM


async def _not_ready(process: Started) -> bool:
    return (await process.readiness() or (503,))[0] == 503


@pytest.fixture
def under_a_terminal() -> Iterator[None]:
    """What is started obeys a hang-up, also where the tests run under nohup: that is inherited."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("under_a_terminal")
@pytest.mark.parametrize("arguments", [("worker",), ("api",), ("api", "--workers", "2")], ids=" ".join)
async def test_whose_terminal_is_closed_ends_as_if_it_had_been_told(
    installation: Installation, arguments: tuple[str, ...]
) -> None:
    process = await installation.ready(*arguments)
    for child in [psutil.Process(process.process.pid), *psutil.Process(process.process.pid).children()]:
        child.send_signal(signal.SIGHUP)
    assert await process.ended() == 0


@pytest.mark.usefixtures("under_a_terminal")
async def test_a_group_whose_processes_are_still_loading_ends_with_its_terminal_too(installation: Installation) -> None:
    process = installation.start("api", "--workers", "2")
    parent = psutil.Process(process.process.pid)

    async def loading() -> list[psutil.Process]:
        members = [child for child in parent.children() if _is_member(child)]
        return members if len(members) == 2 else []

    for one in [*await until(loading), parent]:
        one.send_signal(signal.SIGHUP)
    assert await process.ended() == 0


async def test_a_group_ends_with_its_parent(installation: Installation) -> None:
    process = await installation.ready("api", "--workers", "2")
    children = [child for child in psutil.Process(process.process.pid).children() if _is_member(child)]
    assert len(children) == 2
    process.kill()
    gone, left = await asyncio.to_thread(psutil.wait_procs, children, 20)
    assert len(gone) == 2 and not left


async def test_a_process_of_a_group_that_dies_is_replaced_and_nothing_is_refused(installation: Installation) -> None:
    process = await installation.ready("api", "--workers", "2")
    parent = psutil.Process(process.process.pid)
    before = {child.pid for child in parent.children() if _is_member(child)}
    parent.children()[-1].kill()

    async def replaced() -> bool:
        now = {child.pid for child in parent.children() if _is_member(child)}
        return len(now) == 2 and now != before

    await until(replaced)
    bodies = [batch() for _ in range(20)]
    async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_keepalive_connections=0)) as client:
        answers = await asyncio.gather(*(client.post(installation.events(process), json=body) for body in bodies))
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert await process.stop() == 0


def _is_member(child: psutil.Process) -> bool:
    try:
        return any("spawn_main" in part for part in child.cmdline())
    except psutil.NoSuchProcess:  # a zombie has no command line any more
        return False


async def test_told_to_end_while_it_starts_it_ends_well(installation: Installation) -> None:
    process = installation.start("api", "--workers", "2")
    parent = psutil.Process(process.process.pid)

    async def starting() -> bool:
        return any(_is_member(child) for child in parent.children())

    await until(starting)
    process.signal()
    assert await process.ended() == 0


async def test_without_a_database_to_share_it_says_what_to_do(installation: Installation) -> None:
    for command in ("api", "worker"):
        process = installation.start(command, WHYLEFT_DATABASE_URL="", WHYLEFT_OWNER_DATABASE_URL="")
        assert await process.ended() == 1
        assert process.process.stderr is not None
        said = " ".join(process.process.stderr.read().split())
        assert "set WHYLEFT_DATABASE_URL, or start `whyleft serve`" in said
