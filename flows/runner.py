"""Drives runs: claims those that are due, advances each in its own transaction, sends between two transactions.

A run is leased while it is worked on. A worker that dies loses its leases, and the next one goes on where the database
says the run stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import Accepted, Channel, NotFound, Result, SendIntent, Suppress, Unknown
from adapters.postgres.engine import Database
from adapters.postgres.wakeups import Wakeups
from flows.definition import FlowDefinition
from flows.deliveries import after_interruption, backoff, judge
from flows.engine import Finish, Occurrence, Position, SendNow, WaitUntil, advance
from flows.errors import LeaseLost
from flows.gate import Passed, pass_gate
from flows.models import Delivery, FlowRun, FlowVersion, Suppression
from flows.ports import Composer, Facts
from flows.triggers import UNFINISHED, WAKE_CHANNEL, lock_signal, lock_visitor, note, signal_given_since

log = structlog.get_logger()

MAX_FAILURES = 5
PARALLEL = 8

_CLAIM = text("""
UPDATE flow_run SET lease_until = :until, lease_token = lease_token + 1
WHERE (project_id, id) IN (
    SELECT project_id, id FROM flow_run
    WHERE due_at <= :now AND (lease_until IS NULL OR lease_until < :now)
    ORDER BY due_at LIMIT :batch FOR UPDATE SKIP LOCKED)
RETURNING project_id, id, lease_token
""")


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that this worker may work on while its lease lasts."""

    project_id: UUID
    run_id: UUID
    token: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A committed intent, ready for its channel. ``interrupted``: a worker died somewhere in an earlier try."""

    delivery_id: UUID
    channel: str
    intent: SendIntent
    created_at: datetime
    interrupted: bool = False


class Runner:
    """Runs the flows of every project."""

    def __init__(
        self,
        database: Database,
        *,
        channels: Mapping[str, Channel],
        composer: Composer,
        facts: Facts,
        clock: Callable[[], datetime],
        lease: timedelta = timedelta(seconds=60),
        batch: int = 50,
    ) -> None:
        self._database = database
        self._channels = channels
        self._composer = composer
        self._facts = facts
        self._clock = clock
        self._lease = lease
        self._batch = batch

    async def serve(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set: woken by a notification, and every second in any case."""
        async with Wakeups(self._database.urls, WAKE_CHANNEL).listening() as wakeups:
            while not stop.is_set():
                try:
                    while await self.run_due() and not stop.is_set():
                        pass
                except (DBAPIError, OSError) as error:
                    log.warning("flows_paused", error=type(error).__name__)
                await wakeups.wait(stop)

    async def run_due(self) -> int:
        """Claims one batch of due runs and advances each; returns how many. One bad run does not stop the others."""
        claims = await self._claim()
        places = asyncio.Semaphore(PARALLEL)

        async def work(claim: Claim) -> None:
            async with places:
                await self._handle(claim)

        await asyncio.gather(*(work(claim) for claim in claims))
        return len(claims)

    async def replay_dead(self, project_id: UUID, run_id: UUID) -> bool:
        """Puts a dead run back to work where it stood; False if it is not dead."""
        now = self._clock()
        async with self._database.transaction(project_id) as tx:
            revived = await tx.scalar(
                update(FlowRun)
                .where(FlowRun.project_id == project_id, FlowRun.id == run_id, FlowRun.status == "dead")
                .values(status="waiting", due_at=now, attempts=0, ended_at=None, end_reason=None)
                .returning(FlowRun.id)
            )
            if revived is not None:
                await note(tx, project_id, run_id, now, None, "replayed")
        return revived is not None

    async def _claim(self) -> list[Claim]:
        now = self._clock()
        async with self._database.dispatch() as tx:
            rows = await tx.execute(_CLAIM, {"now": now, "until": now + self._lease, "batch": self._batch})
            return [Claim(row[0], row[1], row[2]) for row in rows]

    async def _handle(self, claim: Claim) -> None:
        try:
            outgoing = await self._step(claim)
            while outgoing is not None:
                result = await self._send(outgoing)
                outgoing = await self._record(claim, outgoing, result)
        except LeaseLost:
            log.info("lease_lost", run=str(claim.run_id))
        except Exception as error:
            log.exception("run_failed", run=str(claim.run_id))
            await self._put_back(claim, error)

    async def _step(self, claim: Claim) -> Outgoing | None:
        async with self._database.transaction(claim.project_id) as tx:
            run = await self._locked(tx, claim)
            if run.status == "sending":
                return await self._interrupted(tx, run)
            return await self._advance(tx, run, "signalled" if run.signalled else "due")

    async def _locked(self, tx: AsyncSession, claim: Claim) -> FlowRun:
        """The run, with its visitor and its row locked, still ours. Raises LeaseLost."""
        visitor_id = await tx.scalar(
            select(FlowRun.visitor_id).where(FlowRun.project_id == claim.project_id, FlowRun.id == claim.run_id)
        )
        if visitor_id is None:
            raise LeaseLost
        await lock_visitor(tx, visitor_id)
        run = await tx.get(FlowRun, (claim.project_id, claim.run_id), with_for_update=True)
        if run is None or run.lease_token != claim.token or run.status not in UNFINISHED:
            raise LeaseLost
        return run

    async def _advance(self, tx: AsyncSession, run: FlowRun, occurrence: Occurrence) -> Outgoing | None:
        """Moves the run on until it waits, ends, or has something to send, which is returned once committed."""
        version = await tx.get_one(FlowVersion, (run.project_id, run.version_id))
        flow = FlowDefinition.model_validate(version.definition)
        now = self._clock()
        visitor_facts = await self._facts.facts(tx, run.project_id, run.visitor_id)
        facts = {**run.facts, **visitor_facts}
        while True:
            ahead = advance(flow, Position(run.step, run.waiting), occurrence, facts, now)
            for step_id, word in ahead.passed:
                await note(tx, run.project_id, run.id, now, step_id, word)
            if occurrence == "sent":
                # What follows a send is due from now on. What follows a wait was due when the wait was over, however
                # late this worker is: the gate refuses what is too late.
                run.due_at = now
            run.step, run.waiting, run.signalled = ahead.position.step, ahead.position.waiting, False
            run.signal = run.signal_key = None
            match ahead.effect:
                case Finish(reason):
                    await self._finish(tx, run, "done", reason, now)
                    return None
                case WaitUntil() as rest:
                    await self._rest(tx, run, rest, now)
                    return None
                case SendNow() as send:
                    decision = await pass_gate(tx, run, send, facts, self._composer, self._channels, now)
                    if isinstance(decision, Passed):
                        run.status = "sending"
                        await note(tx, run.project_id, run.id, now, send.step_id, "sending", decision.delivery.channel)
                        return _outgoing(decision.delivery)
                    await note(
                        tx,
                        run.project_id,
                        run.id,
                        now,
                        send.step_id,
                        "skipped",
                        f"{decision.reason}: {decision.detail}",
                    )
                    if decision.reason == "converted":
                        await self._finish(tx, run, "cancelled", "converted", now)
                        return None
                    occurrence = "sent"

    async def _rest(self, tx: AsyncSession, run: FlowRun, rest: WaitUntil, now: datetime) -> None:
        run.status, run.due_at, run.lease_until, run.attempts = "waiting", rest.due_at, None, 0
        detail = f"until {rest.due_at:%Y-%m-%d %H:%M:%S} UTC"
        if rest.signal is not None and rest.key is not None:
            await lock_signal(tx, run.project_id, rest.signal, rest.key)
            detail = f"for {rest.signal} {rest.key:.80}, {detail}"
            if await signal_given_since(tx, run.project_id, rest.signal, rest.key, run.started_at):
                run.signalled, run.due_at = True, now
            else:
                run.signal, run.signal_key = rest.signal, rest.key
        await note(tx, run.project_id, run.id, now, run.step, "waiting", detail)

    async def _finish(self, tx: AsyncSession, run: FlowRun, status: str, reason: str, now: datetime) -> None:
        run.status, run.due_at, run.lease_until = status, None, None
        run.ended_at, run.end_reason = now, reason
        await note(tx, run.project_id, run.id, now, run.step, "ended", reason)

    async def _interrupted(self, tx: AsyncSession, run: FlowRun) -> Outgoing | None:
        """A worker died after the gate: the intent is there, its outcome is not."""
        delivery = await tx.scalar(
            select(Delivery).where(
                Delivery.project_id == run.project_id, Delivery.run_id == run.id, Delivery.status == "intent"
            )
        )
        if delivery is None:
            return await self._after_send(tx, run)
        if run.end_reason is not None:
            # Cancelled meanwhile: whether it went out cannot be known, and it must not go out now.
            delivery.status, delivery.error = "unknown", "Interrupted, then cancelled before it could be repeated."
            delivery.decided_at = self._clock()
            return await self._after_send(tx, run)
        return _outgoing(delivery, interrupted=True)

    async def _send(self, outgoing: Outgoing) -> Result:
        channel = self._channels.get(outgoing.channel)
        if channel is None:
            return Unknown(f"The {outgoing.channel} channel is no longer configured on this server.")
        if outgoing.interrupted:
            way = after_interruption(channel, outgoing.created_at, self._clock())
            if way == "ask":
                found = await channel.lookup(outgoing.intent.key)
                if isinstance(found, Accepted):
                    return found
                way = "repeat" if isinstance(found, NotFound) else "unknown"
            if way == "unknown":
                return Unknown("Interrupted between sending and hearing back; a repeat could be a second message.")
        return await channel.send(outgoing.intent)

    async def _record(self, claim: Claim, outgoing: Outgoing, result: Result) -> Outgoing | None:
        now = self._clock()
        async with self._database.transaction(claim.project_id) as tx:
            run = await self._locked(tx, claim)
            delivery = await tx.get_one(Delivery, (claim.project_id, outgoing.delivery_id))
            verdict = judge(result, delivery.attempts)
            delivery.status, delivery.error = verdict.status, verdict.error
            delivery.provider_id, delivery.decided_at = verdict.provider_id, now
            if isinstance(result, Suppress) and delivery.recipient is not None:
                await tx.execute(
                    upsert(Suppression)
                    .values(
                        project_id=claim.project_id,
                        channel=delivery.channel,
                        recipient=delivery.recipient,
                        reason=result.why,
                        at=now,
                    )
                    .on_conflict_do_nothing()
                )
            await note(tx, claim.project_id, run.id, now, run.step, verdict.status, verdict.error or delivery.channel)
            log.info("delivery_" + verdict.status, channel=delivery.channel, delivery=str(delivery.id))
            if verdict.again_after is not None and run.end_reason is None:
                run.status, run.due_at, run.lease_until = "waiting", now + verdict.again_after, None
                return None
            return await self._after_send(tx, run)

    async def _after_send(self, tx: AsyncSession, run: FlowRun) -> Outgoing | None:
        if run.end_reason is not None:
            await self._finish(tx, run, "cancelled", run.end_reason, self._clock())
            return None
        run.status = "waiting"
        return await self._advance(tx, run, "sent")

    async def _put_back(self, claim: Claim, error: Exception) -> None:
        """A failure that is no provider's answer: tried again later, and put aside after a few times."""
        now = self._clock()
        why = type(error).__name__
        try:
            async with self._database.transaction(claim.project_id) as tx:
                run = await self._locked(tx, claim)
                run.attempts += 1
                if run.attempts >= MAX_FAILURES:
                    await self._finish(tx, run, "dead", f"failed {run.attempts} times: {why}", now)
                else:
                    run.due_at, run.lease_until = now + backoff(run.attempts), None
                    await note(tx, claim.project_id, run.id, now, run.step, "failed", why)
        except (LeaseLost, DBAPIError, OSError):
            # The lease runs out by itself; whoever claims the run next finds it as it was.
            log.warning("run_not_put_back", run=str(claim.run_id))


def _outgoing(delivery: Delivery, *, interrupted: bool = False) -> Outgoing:
    return Outgoing(
        delivery.id,
        delivery.channel,
        SendIntent(key=str(delivery.id), recipient=delivery.recipient, content=delivery.content),
        delivery.created_at,
        interrupted,
    )
