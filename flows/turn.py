"""One turn of a claimed run: moves it on as far as it can go now, and carries out what it has to send.

Every step is a transaction; a channel is called between two of them, never inside one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import Text, cast, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import Channel, NotFound, Result, SendIntent, Suppress, Unknown, Unsupported
from adapters.postgres.engine import Database
from adapters.postgres.faults import gone
from adapters.postgres.leases import Lease
from adapters.telemetry.meters import Meters
from flows.conditions import asked_by, explain
from flows.definition import Branch, FlowDefinition
from flows.deliveries import MAX_ATTEMPTS, after_interruption, backoff, given_up, judge
from flows.delivery_facts import asks_for_deliveries, known_of_deliveries
from flows.engine import (
    Finish,
    Judge,
    Occurrence,
    Position,
    SendNow,
    Traveller,
    WaitUntil,
    advance,
    asks_for_zone,
    knows_nothing,
)
from flows.errors import LeaseLost
from flows.gate import Passed, Postpone, carrier, open_delivery, pass_gate
from flows.local_time import zone
from flows.lookup import lookup
from flows.models import Delivery, FlowRun, FlowVersion, RunEvent, Suppression
from flows.ports import Channels, Composer, Done, Facts, Holdout, Knowledge
from flows.sent_steps import sent_steps
from flows.triggers import UNFINISHED, lock_signal, signal_given_since, until

log = structlog.get_logger()

PARALLEL: Final = 8
"""Transactions of turns at a time."""
_LINES: Final = "lines of histories"
MAX_FAILURES: Final = 5
RECORD_AGAIN: Final = 0.2
MOST_DEFINITIONS: Final = 1_000
SHARE_OF_LEASE: Final = 0.8
"""A channel that has not answered by then is cut off: its run must not be taken over while it may still speak."""

Answer = Result | NotFound | Unsupported


@dataclass(frozen=True, slots=True)
class Errand:
    """Something to do outside a transaction: send a committed intent, or ask whether an earlier try arrived."""

    delivery_id: UUID
    channel: Channel
    intent: SendIntent
    ask: bool = False


class Turns:
    """Takes the turns of one worker."""

    def __init__(
        self,
        database: Database,
        channels: Channels,
        composer: Composer,
        facts: Facts,
        knowledge: Knowledge,
        holdout: Holdout,
        clock: Callable[[], datetime],
        lease: timedelta,
        meters: Meters,
    ) -> None:
        self._database = database
        self._channels = channels
        self._composer = composer
        self._facts = facts
        self._knowledge = knowledge
        self._holdout = holdout
        self._clock = clock
        self._lease = lease
        self._meters = meters
        self._places = asyncio.Semaphore(PARALLEL)
        self._definitions: dict[tuple[UUID, UUID], FlowDefinition] = {}

    @asynccontextmanager
    async def _transaction(self, project_id: UUID) -> AsyncIterator[AsyncSession]:
        """Only so many at a time: turns that wait for providers are many, and connections are few."""
        async with self._places, self._database.transaction(project_id) as tx:
            yield tx
            if lines := tx.info.pop(_LINES, None):
                await tx.execute(insert(RunEvent), lines)

    async def take(self, lease: Lease) -> None:
        """Moves the run on until it rests or ends. What goes wrong with it stays with it; raises only when the
        database went away."""
        try:
            with self._meters.timed("flows.turn"):
                errand = await self._begin(lease)
            while errand is not None:
                with self._meters.timed("flows.send"):
                    answer = await self._carry_out(errand)
                self._meters.flow_sends.labels(errand.channel.name, type(answer).__name__.lower()).inc()
                with self._meters.timed("flows.turn"):
                    errand = await self._record_in_time(lease, errand, answer)
        except LeaseLost:
            self._meters.leases_lost.labels("flows").inc()
            log.info("lease_lost", run=str(lease.id))
        except Exception as error:
            if gone(error):
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
        flow = await self._definition(tx, run)
        now = self._clock()
        who = await self._traveller(tx, run, flow)
        while True:
            # Anew after each send: one may have put a tag on that the next branch asks for.
            by = await self._judge(tx, run, flow, now)
            stood_at = run.step
            ahead = advance(flow, Position(run.step, run.waiting), occurrence, run.facts, now, by, who)
            for step_id, word, why in ahead.passed:
                _say(tx, run.project_id, run.id, now, step_id, word, why)
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
                    await self._finish(tx, run, "done", reason, now)
                    return None
                case WaitUntil() as rest:
                    await self._rest(tx, run, rest, now)
                    return None
                case SendNow() as send:
                    channels = await self._channels.of(tx, run.project_id)
                    decision = await pass_gate(
                        tx, run, flow, send, self._facts, self._composer, channels, self._holdout, now
                    )
                    if isinstance(decision, Passed):
                        return await self._sending(tx, run, decision)
                    if isinstance(decision, Postpone):
                        await self._postpone(tx, run, send, decision, now)
                        return None
                    occurrence = "sent"
                    if isinstance(decision, Done):
                        _say(tx, run.project_id, run.id, now, send.step_id, "done", decision.detail)
                        continue
                    why = f"{decision.reason}: {decision.detail}"
                    _say(tx, run.project_id, run.id, now, send.step_id, "skipped", why)
                    if decision.reason == "converted":
                        await self._finish(tx, run, "cancelled", "converted", now)
                        return None

    async def _postpone(self, tx: AsyncSession, run: FlowRun, send: SendNow, decision: Postpone, now: datetime) -> None:
        earlier = await open_delivery(tx, run, send.step_id)
        # A try that may have arrived keeps its run past the gate, as one whose worker died does.
        run.status = "sending" if earlier is not None and earlier.status == "intent" else "waiting"
        # A provider may be full for long: its wait is told once.
        if decision.fresh or run.wanted_at is None:
            why = f"{decision.reason}: {decision.detail}"
            _say(tx, run.project_id, run.id, now, send.step_id, "postponed", why)
        run.wanted_at = decision.until if decision.fresh else run.wanted_at or run.due_at
        run.due_at, run.lease_until = decision.until, None

    async def _definition(self, tx: AsyncSession, run: FlowRun) -> FlowDefinition:
        """What the run's version says. A version never changes: it is read once."""
        key = (run.project_id, run.version_id)
        if key not in self._definitions:
            if len(self._definitions) >= MOST_DEFINITIONS:
                self._definitions.clear()
            version = await tx.get_one(FlowVersion, key)
            self._definitions[key] = FlowDefinition.model_validate(version.definition)
        return self._definitions[key]

    async def _traveller(self, tx: AsyncSession, run: FlowRun, flow: FlowDefinition) -> Traveller:
        if not asks_for_zone(flow):
            return Traveller(run.visitor_id)
        known = await self._facts.facts(tx, run.project_id, run.visitor_id)
        return Traveller(run.visitor_id, zone(lookup(known, "visitor.time_zone")))

    async def _judge(self, tx: AsyncSession, run: FlowRun, flow: FlowDefinition, now: datetime) -> Judge:
        """Judges the branches of a flow by what is known now."""
        asking = [step.when for step in flow.steps.values() if isinstance(step, Branch)]
        if not asking:
            return knows_nothing
        known = await self._knowledge.known(tx, run.project_id, run.visitor_id, asking, run.facts, now)
        asked = asked_by(asking)
        if asks_for_deliveries(asked):
            known = replace(known, values={**known.values, **known_of_deliveries(asked, await sent_steps(tx, run))})
        return lambda condition: explain(condition, self._knowledge.fields, known)

    async def _sending(self, tx: AsyncSession, run: FlowRun, passed: Passed) -> Errand:
        delivery = passed.delivery
        now = self._clock()
        run.status = "sending"
        # The lease was taken with a whole batch: what is sent last needs as long as what was sent first.
        run.lease_until = now + self._lease
        _say(tx, run.project_id, run.id, now, delivery.step, "sending", delivery.channel)
        return _errand(delivery, passed.channel)

    async def _rest(self, tx: AsyncSession, run: FlowRun, rest: WaitUntil, now: datetime) -> None:
        run.status, run.due_at, run.lease_until, run.attempts = "waiting", rest.due_at, None, 0
        detail = until(rest.due_at)
        if rest.signal is not None and rest.key is not None:
            await lock_signal(tx, run.project_id, rest.signal, rest.key)
            detail = f"for {rest.signal} {rest.key:.80}, {detail}"
            # Since what triggered the run, not since it started: between the two lies the time a session takes to
            # close, and a fix in that time is news all the same.
            if await signal_given_since(tx, run.project_id, rest.signal, rest.key, run.triggered_at):
                run.signalled, run.due_at = True, now
            else:
                run.signal, run.signal_key = rest.signal, rest.key
        _say(tx, run.project_id, run.id, now, run.step, "waiting", detail)

    async def _finish(self, tx: AsyncSession, run: FlowRun, status: str, reason: str, now: datetime) -> None:
        run.status, run.due_at, run.lease_until = status, None, None
        run.ended_at, run.end_reason, run.wanted_at = now, reason, None
        _say(tx, run.project_id, run.id, now, run.step, "ended", reason)

    async def _interrupted(self, tx: AsyncSession, run: FlowRun) -> Errand | None:
        """A try whose end nobody saw: the intent is there, its outcome is not."""
        delivery = await open_delivery(tx, run, run.step)
        if delivery is None:
            return await self._after_send(tx, run)
        now = self._clock()
        channel = carrier(await self._channels.of(tx, run.project_id), delivery)
        way = "unknown" if channel is None else after_interruption(channel, delivery.created_at, now)
        if delivery.attempts >= MAX_ATTEMPTS or (way == "repeat" and run.end_reason is not None):
            way = "unknown"
        if way == "ask" and channel is not None:
            delivery.attempts += 1
            run.lease_until = now + self._lease
            return _errand(delivery, channel, ask=True)
        if way == "repeat":
            # Through the gate again: it was open then, which says nothing about now.
            run.status = "waiting"
            return await self._advance(tx, run, "due")
        why = "Interrupted between sending and hearing back; a repeat could be a second message."
        await self._settle(tx, run, delivery, "unknown", why)
        return await self._after_send(tx, run)

    async def _carry_out(self, errand: Errand) -> Answer:
        channel = errand.channel
        try:
            async with asyncio.timeout(self._lease.total_seconds() * SHARE_OF_LEASE):
                if errand.ask:
                    return await channel.lookup(errand.intent.key)
                return await channel.send(errand.intent)
        except TimeoutError:
            return Unknown("The channel did not answer in time.")
        except Exception as error:
            # Channels raise nothing for what a provider does, so this is a fault of ours: nobody knows what went out.
            log.exception("channel_failed", channel=channel.name, delivery=str(errand.delivery_id))
            return Unknown(f"The channel failed: {type(error).__name__}.")

    async def _record_in_time(self, lease: Lease, errand: Errand, answer: Answer) -> Errand | None:
        """``_record``, also when the database is away for a while: what the provider said is known here alone."""
        until = time.monotonic() + self._lease.total_seconds()
        while True:
            try:
                return await self._record(lease, errand, answer)
            except Exception as error:
                if not gone(error) or time.monotonic() > until:
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
                channel = carrier(await self._channels.of(tx, run.project_id), following)
                # Without its channel the lease runs out, and whoever comes then says what that means.
                return None if channel is None else _errand(following, channel)
            if isinstance(answer, NotFound):
                return await self._never_arrived(tx, run, delivery)
            if isinstance(answer, Unsupported):
                await self._settle(tx, run, delivery, "unknown", "The provider cannot say whether it arrived.")
                return await self._after_send(tx, run)
            if errand.channel.id is not None:
                await self._channels.heard(tx, run.project_id, errand.channel, answer, now)
            repeatable = after_interruption(errand.channel, delivery.created_at, now) != "unknown"
            verdict = judge(answer, delivery.attempts, repeatable=repeatable and run.end_reason is None)
            status, error = verdict.status, verdict.error
            if verdict.again_after is not None and run.end_reason is not None:
                status, error = given_up(status), f"Not tried again: {run.end_reason}"
            delivery.provider_id = verdict.provider_id
            await self._settle(tx, run, delivery, status, error)
            if isinstance(answer, Suppress) and delivery.recipient is not None:
                await _suppress(tx, delivery, answer.why, now)
            if verdict.again_after is None or run.end_reason is not None:
                return await self._after_send(tx, run)
            # A try that may have arrived keeps its run past the gate, as one whose worker died does.
            run.status = "sending" if status == "intent" else "waiting"
            run.due_at, run.lease_until = now + verdict.again_after, None
            return None

    async def _never_arrived(self, tx: AsyncSession, run: FlowRun, delivery: Delivery) -> Errand | None:
        delivery.status = "retry"
        if run.end_reason is not None:
            await self._settle(tx, run, delivery, given_up("retry"), f"Not tried again: {run.end_reason}")
            return await self._after_send(tx, run)
        run.status = "waiting"
        return await self._advance(tx, run, "due")

    async def _settle(self, tx: AsyncSession, run: FlowRun, delivery: Delivery, status: str, error: str | None) -> None:
        """Writes down what is known of a delivery now."""
        now = self._clock()
        if status == "unknown" and delivery.fate not in (None, "rejected"):
            # Its provider reported of it meanwhile, so it did go out.
            status, error = "accepted", None
        delivery.status, delivery.error, delivery.decided_at = status, error, now
        word = "unanswered" if status == "intent" else status
        _say(tx, run.project_id, run.id, now, delivery.step, word, error or delivery.channel)
        log.info("delivery_" + word, channel=delivery.channel, delivery=str(delivery.id))

    async def _after_send(self, tx: AsyncSession, run: FlowRun) -> Errand | None:
        if run.end_reason is not None:
            await self._finish(tx, run, "cancelled", run.end_reason, self._clock())
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
                run.attempts += 1
                if run.attempts >= MAX_FAILURES:
                    await self._finish(tx, run, "dead", f"failed {run.attempts} times: {why}", now)
                else:
                    run.due_at, run.lease_until = now + backoff(run.attempts), None
                    _say(tx, lease.project_id, run.id, now, run.step, "failed", why)
        except (LeaseLost, DBAPIError, OSError):
            # The lease runs out by itself; whoever claims the run next finds it as it was.
            log.warning("run_not_put_back", run=str(lease.id))


async def _suppress(tx: AsyncSession, delivery: Delivery, why: str, now: datetime) -> None:
    await tx.execute(
        upsert(Suppression)
        .values(
            project_id=delivery.project_id,
            channel=delivery.channel,
            recipient=delivery.recipient,
            reason=why,
            at=now,
        )
        .on_conflict_do_nothing()
    )


def _errand(delivery: Delivery, channel: Channel, *, ask: bool = False) -> Errand:
    intent = SendIntent(key=str(delivery.id), recipient=delivery.recipient, content=delivery.content)
    return Errand(delivery.id, channel, intent, ask)


def _say(
    tx: AsyncSession, project_id: UUID, run_id: UUID, now: datetime, step: str | None, what: str, detail: str = ""
) -> None:
    """Adds one line to a run's history; all those of a transaction are written at its end."""
    lines: list[dict[str, Any]] = tx.info.setdefault(_LINES, [])
    lines.append({"project_id": project_id, "run_id": run_id, "at": now, "step": step, "what": what, "detail": detail})
