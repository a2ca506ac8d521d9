"""One turn of a claimed run: moves it on as far as it can go now, and carries out what it has to send.

Every step is a transaction; a channel is called between two of them, never inside one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

import structlog
from sqlalchemy import Text, cast, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import NotFound, Unsupported
from adapters.postgres.engine import Database
from adapters.postgres.faults import gone, held_up
from adapters.postgres.leases import Lease
from adapters.telemetry.meters import Meters
from flows.carriers import carrier
from flows.deliveries import MAX_ATTEMPTS, after_interruption, given_up, pause_after_interruption
from flows.engine import Finish, Occurrence, Position, SendNow, WaitUntil, advance
from flows.errands import Answer, Errand, carry_out, errand_for
from flows.errors import LeaseLost
from flows.gate import Passed, Postpone, pass_gate
from flows.guide import Guide
from flows.history import say, write_down
from flows.intent_to_send import open_delivery
from flows.models import Delivery, FlowRun
from flows.ports import Done, Surroundings
from flows.resting import after_failure, finish, postpone, rest
from flows.settling import settle, settle_answer
from flows.triggers import UNFINISHED

log = structlog.get_logger()

PARALLEL: Final = 10
"""Transactions of turns at a time."""
PARALLEL_OF_A_PROJECT: Final = 8
"""Fewer of one project: what takes it long (its messages may be slow to render) leaves some to the others."""
RECORD_AGAIN: Final = 0.2
SHARE_OF_LEASE: Final = 0.8
"""A channel that has not answered by then is cut off: its run must not be taken over while it may still speak."""


class Turns:
    """Takes the turns of one worker."""

    def __init__(
        self,
        database: Database,
        around: Surroundings,
        clock: Callable[[], datetime],
        lease: timedelta,
        meters: Meters,
    ) -> None:
        self._database = database
        self._around = around
        self._guide = Guide(around)
        self._clock = clock
        self._lease = lease
        self._meters = meters
        self._places = asyncio.Semaphore(PARALLEL)
        self._shares: WeakValueDictionary[UUID, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def _transaction(self, project_id: UUID) -> AsyncIterator[AsyncSession]:
        """Only so many at a time: turns that wait for providers are many, and connections are few."""
        share = self._shares.setdefault(project_id, asyncio.Semaphore(PARALLEL_OF_A_PROJECT))
        async with share, self._places, self._database.transaction(project_id) as tx:
            yield tx
            await write_down(tx)

    async def take(self, lease: Lease) -> None:
        """Moves the run on until it rests or ends. What goes wrong with it stays with it; raises only when the
        database went away, or others held what it needs for too long."""
        try:
            with self._meters.timed("flows.turn"):
                errand = await self._begin(lease)
            while errand is not None:
                with self._meters.timed("flows.send"):
                    answer = await carry_out(errand, self._lease.total_seconds() * SHARE_OF_LEASE)
                self._meters.flow_sends.labels(errand.channel.name, type(answer).__name__.lower()).inc()
                with self._meters.timed("flows.turn"):
                    errand = await self._record_in_time(lease, errand, answer)
        except LeaseLost:
            self._meters.leases_lost.labels("flows").inc()
            log.info("lease_lost", run=str(lease.id))
        except Exception as error:
            if gone(error) or held_up(error):
                # Nothing is wrong with the run: it goes on where the database says it stands.
                log.info("run_interrupted", run=str(lease.id), error=type(error).__name__)
                raise
            log.exception("run_failed", run=str(lease.id))
            await self._put_back(lease, error)

    async def _begin(self, lease: Lease) -> Errand | None:
        async with self._transaction(lease.project_id) as tx:
            run = await self._locked(tx, lease)
            if run.status == "sending":
                return await self._interrupted(tx, run)
            return await self._advance(tx, run, "signalled" if run.signalled else "due")

    async def _locked(self, tx: AsyncSession, lease: Lease) -> FlowRun:
        """The run, with its visitor and its row locked, still ours. Raises LeaseLost."""
        visitor = func.pg_advisory_xact_lock(func.hashtextextended(cast(FlowRun.visitor_id, Text), 0))
        run = await tx.scalar(
            select(FlowRun)
            # The visitor's lock first, as ``lock_visitor`` takes it, then the row, as it is once both are ours.
            .where(FlowRun.project_id == lease.project_id, FlowRun.id == lease.id, visitor.is_not(None))
            .with_for_update()
        )
        if run is None or run.lease_token != lease.token or run.status not in UNFINISHED:
            raise LeaseLost
        return run

    async def _advance(self, tx: AsyncSession, run: FlowRun, occurrence: Occurrence) -> Errand | None:
        """Moves the run on until it waits, ends, or has something to send, which is returned once committed."""
        flow = await self._guide.definition(tx, run)
        now = self._clock()
        who = await self._guide.traveller(tx, run, flow)
        while True:
            # Anew after each send: one may have put a tag on that the next branch asks for.
            by = await self._guide.judge(tx, run, flow, now)
            stood_at = run.step
            ahead = advance(flow, Position(run.step, run.waiting), occurrence, run.facts, now, by, who)
            for step_id, word, why in ahead.passed:
                say(tx, run, now, step_id, word, why)
            if occurrence == "sent":
                # What follows a send is due from now on. What follows a wait was due when the wait was over, however
                # late this worker is: the gate refuses what is too late.
                run.due_at = now
            run.step, run.waiting, run.signalled = ahead.position.step, ahead.position.waiting, False
            run.signal = run.signal_key = None
            if run.step != stood_at:
                run.wanted_at = None
            match ahead.effect:
                case Finish(reason):
                    finish(tx, run, "done", reason, now)
                    return None
                case WaitUntil() as wait:
                    await rest(tx, run, wait, now)
                    return None
                case SendNow() as send:
                    decision = await pass_gate(tx, run, flow, send, self._around, now)
                    if isinstance(decision, Passed):
                        return await self._sending(tx, run, decision)
                    if isinstance(decision, Postpone):
                        await postpone(tx, run, send, decision, now)
                        return None
                    occurrence = "sent"
                    if isinstance(decision, Done):
                        say(tx, run, now, send.step_id, "done", decision.detail)
                        continue
                    why = f"{decision.reason}: {decision.detail}"
                    say(tx, run, now, send.step_id, "skipped", why)
                    if decision.reason == "converted":
                        finish(tx, run, "cancelled", "converted", now)
                        return None

    async def _sending(self, tx: AsyncSession, run: FlowRun, passed: Passed) -> Errand:
        delivery = passed.delivery
        now = self._clock()
        run.status = "sending"
        # The lease was taken with a whole batch: what is sent last needs as long as what was sent first.
        run.lease_until = now + self._lease
        say(tx, run, now, delivery.step, "sending", delivery.channel)
        return errand_for(delivery, passed.channel)

    async def _interrupted(self, tx: AsyncSession, run: FlowRun) -> Errand | None:
        """A try whose end nobody saw: the intent is there, its outcome is not."""
        delivery = await open_delivery(tx, run, run.step)
        if delivery is None:
            return await self._after_send(tx, run)
        now = self._clock()
        channel = carrier(await self._around.channels.of(tx, run.project_id), delivery)
        way = "unknown" if channel is None else after_interruption(channel, delivery.created_at, now)
        if delivery.attempts >= MAX_ATTEMPTS or (way == "repeat" and run.end_reason is not None):
            way = "unknown"
        pause = pause_after_interruption(delivery.attempts)
        if way != "unknown" and pause and not _has_waited(run, delivery):
            settle(tx, run, delivery, "intent", "Interrupted between sending and hearing back.", now)
            run.due_at, run.lease_until = now + pause, None
            return None
        if way == "ask" and channel is not None:
            delivery.attempts, delivery.decided_at = delivery.attempts + 1, None
            run.lease_until = now + self._lease
            return errand_for(delivery, channel, ask=True)
        if way == "repeat":
            # Through the gate again: it was open then, which says nothing about now.
            run.status = "waiting"
            return await self._advance(tx, run, "due")
        why = "Interrupted between sending and hearing back; a repeat could be a second message."
        settle(tx, run, delivery, "unknown", why, now)
        return await self._after_send(tx, run)

    async def _record_in_time(self, lease: Lease, errand: Errand, answer: Answer) -> Errand | None:
        """``_record``, also when the database is away or held up: what the provider said is known here alone."""
        until = time.monotonic() + self._lease.total_seconds()
        while True:
            try:
                return await self._record(lease, errand, answer)
            except Exception as error:
                if not (gone(error) or held_up(error)) or time.monotonic() > until:
                    raise
                await asyncio.sleep(RECORD_AGAIN)

    async def _record(self, lease: Lease, errand: Errand, answer: Answer) -> Errand | None:
        now = self._clock()
        async with self._transaction(lease.project_id) as tx:
            run = await self._locked(tx, lease)
            delivery = await tx.get_one(Delivery, (lease.project_id, errand.delivery_id))
            if delivery.status != "intent":
                # Written down by a commit whose answer was lost. What follows it has not begun: the run is still ours.
                following = await open_delivery(tx, run, run.step) if run.status == "sending" else None
                if following is None:
                    return None
                channel = carrier(await self._around.channels.of(tx, run.project_id), following)
                # Without its channel the lease runs out, and whoever comes then says what that means.
                return None if channel is None else errand_for(following, channel)
            if isinstance(answer, NotFound):
                return await self._never_arrived(tx, run, delivery)
            if isinstance(answer, Unsupported):
                settle(tx, run, delivery, "unknown", "The provider cannot say whether it arrived.", now)
                return await self._after_send(tx, run)
            if errand.channel.id is not None:
                await self._around.channels.heard(tx, run.project_id, errand.channel, answer, now)
            if await settle_answer(tx, run, delivery, errand.channel, answer, now):
                return None
            return await self._after_send(tx, run)

    async def _never_arrived(self, tx: AsyncSession, run: FlowRun, delivery: Delivery) -> Errand | None:
        delivery.status = "retry"
        if run.end_reason is not None:
            settle(tx, run, delivery, given_up("retry"), f"Not tried again: {run.end_reason}", self._clock())
            return await self._after_send(tx, run)
        run.status = "waiting"
        return await self._advance(tx, run, "due")

    async def _after_send(self, tx: AsyncSession, run: FlowRun) -> Errand | None:
        if run.end_reason is not None:
            finish(tx, run, "cancelled", run.end_reason, self._clock())
            return None
        run.status = "waiting"
        return await self._advance(tx, run, "sent")

    async def _put_back(self, lease: Lease, error: Exception) -> None:
        """A failure that is no provider's answer: tried again later, and put aside after a few times."""
        now = self._clock()
        why = type(error).__name__
        try:
            async with self._transaction(lease.project_id) as tx:
                run = await self._locked(tx, lease)
                after_failure(tx, run, why, now)
        except (LeaseLost, DBAPIError, OSError):
            # The lease runs out by itself; whoever claims the run next finds it as it was.
            log.warning("run_not_put_back", run=str(lease.id))


def _has_waited(run: FlowRun, delivery: Delivery) -> bool:
    """Whether the run comes back from a pause, and not from a try that was cut off: a failure of ours was followed by
    one; so was what is decided of a try, and when a try begins nothing is decided of it."""
    paused = delivery.decided_at is not None and run.due_at is not None and run.due_at > delivery.decided_at
    return paused or run.attempts > 0
