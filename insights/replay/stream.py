"""Sends a plan's batches in order, each in its time: several at once, but never two of one visitor or session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from insights.replay.batches import Plan, ReplayBatch
from insights.replay.client import ApiClient, ReplayStopped, Target
from insights.replay.position import Position, StateFile, Tally, Watermark

CONCURRENCY = 16
SAVE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Watch:
    """Who hears what happens meanwhile: the tally after each batch, refusals, and why the API is being waited for."""

    progress: Callable[[Tally], None] = lambda _: None
    refused: Callable[[str], None] = lambda _: None
    away: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Result:
    """What a replay came to, the parts of earlier runs that it took up included.

    ``resumed_events`` were acknowledged by earlier runs and not sent again; ``seconds`` is this run's time.
    """

    tally: Tally
    resumed_events: int
    seconds: float


async def stream(plan: Plan, target: Target, *, speed: float, state: StateFile, watch: Watch) -> Result:
    """Replays ``plan`` from the saved position to its end, then forgets the position.

    ``speed`` is event time over wall time; 0 is as fast as the API takes it. Raises ReplayStopped with the position
    saved, and OSError when it cannot be saved.
    """
    began = time.monotonic()
    start = state.load()
    if start.done > len(plan.batches):
        start = Position()
    client = ApiClient(target, connections=CONCURRENCY, on_refused=watch.refused, on_away=watch.away)
    try:
        await client.check()
        state.save(start)  # whoever cannot remember how far they came had better know before they start
        watch.progress(start.tally)
        mark = Watermark(start)
        saver = _Saver(state, mark)
        try:
            await _send_all(plan, client, mark, saver, speed, watch)
        except BaseException:
            state.save(mark.position)
            raise
    finally:
        await client.aclose()
    state.forget()
    return Result(mark.tally, start.tally.events, time.monotonic() - began)


def due_seconds(batch: ReplayBatch, start_ms: int, speed: float) -> float:
    """How long after its start a replay sends ``batch``. ``start_ms`` is the event time it starts at."""
    return (batch.at_ms - start_ms) / 1000 / speed if speed > 0 else 0.0


class _Saver:
    """Saves the position about once a second."""

    def __init__(self, state: StateFile, mark: Watermark) -> None:
        self._state = state
        self._mark = mark
        self._saved = time.monotonic()

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._saved >= SAVE_SECONDS:
            self._state.save(self._mark.position)
            self._saved = now


async def _send_all(plan: Plan, client: ApiClient, mark: Watermark, saver: _Saver, speed: float, watch: Watch) -> None:
    slots = asyncio.Semaphore(CONCURRENCY)
    lanes: dict[UUID, asyncio.Task[None]] = {}
    stored: set[UUID] = set()
    first = mark.position.done
    began = time.monotonic()

    async def send(index: int, batch: ReplayBatch, before: set[asyncio.Task[None]]) -> None:
        try:
            for task in before:
                await task
            tally = await client.send(batch)
            if tally.accepted + tally.duplicates:
                stored.add(batch.session)
            if batch.closes:
                tally += Tally(closed=await _close(client, batch, stored))
                stored.discard(batch.session)
            mark.finish(index, tally)
            saver()
            watch.progress(mark.tally)
        finally:
            slots.release()
            for lane in (batch.visitor, batch.session):
                if lanes.get(lane) is asyncio.current_task():
                    del lanes[lane]

    try:
        async with asyncio.TaskGroup() as tasks:
            for index in range(first, len(plan.batches)):
                batch = plan.batches[index]
                wait = began + due_seconds(batch, plan.batches[first].at_ms, speed) - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                await slots.acquire()
                # One that waits for its visitor's batch before it holds a slot, but that one has its own already.
                before = {lanes[lane] for lane in (batch.visitor, batch.session) if lane in lanes}
                lanes[batch.visitor] = lanes[batch.session] = tasks.create_task(send(index, batch, before))
    except BaseExceptionGroup as group:
        raise _first(group) from None


async def _close(client: ApiClient, batch: ReplayBatch, stored: set[UUID]) -> int:
    if await client.close_session(batch.session):
        return 1
    if batch.session in stored:
        raise ReplayStopped(
            "The secret key's project does not know the sessions that the write key stores: pass two keys of one "
            "project, made with `whyleft keys create --project NAME`."
        )
    return 0  # none of its events was accepted, so there is nothing to close


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The sentence to tell, if one of the failures has one."""
    leaves: list[BaseException] = []
    waiting: list[BaseException] = [group]
    while waiting:
        error = waiting.pop()
        if isinstance(error, BaseExceptionGroup):
            waiting.extend(error.exceptions)
        else:
            leaves.append(error)
    return next((error for error in leaves if isinstance(error, ReplayStopped)), leaves[0])
