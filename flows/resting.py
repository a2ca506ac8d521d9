"""Where a run comes to rest: it waits, is put off, is tried again later, or is over.

Everything here happens inside the caller's transaction, which holds the run's row.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from flows.deliveries import backoff
from flows.engine import SendNow, WaitUntil
from flows.gate import Postpone
from flows.history import say
from flows.intent_to_send import open_delivery
from flows.models import FlowRun
from flows.triggers import hold_signal, signal_given_since, until

MAX_FAILURES: Final = 5


async def rest(tx: AsyncSession, run: FlowRun, wait: WaitUntil, now: datetime) -> None:
    """The run waits at its step, unless the signal that it waits for was given already."""
    run.status, run.due_at, run.lease_until, run.attempts = "waiting", wait.due_at, None, 0
    detail = until(wait.due_at)
    if wait.signal is not None and wait.key is not None:
        await hold_signal(tx, run.project_id, wait.signal, wait.key)
        detail = f"for {wait.signal} {wait.key:.80}, {detail}"
        # Since what triggered the run, not since it started: between the two lies the time a session takes to
        # close, and a fix in that time is news all the same.
        if await signal_given_since(tx, run.project_id, wait.signal, wait.key, run.triggered_at):
            run.signalled, run.due_at = True, now
        else:
            run.signal, run.signal_key = wait.signal, wait.key
    say(tx, run, now, run.step, "waiting", detail)


async def postpone(tx: AsyncSession, run: FlowRun, send: SendNow, decision: Postpone, now: datetime) -> None:
    """The gate said: not now. The step is tried again at the time that it named."""
    earlier = await open_delivery(tx, run, send.step_id)
    # A try that may have arrived keeps its run past the gate, as one whose worker died does.
    run.status = "sending" if earlier is not None and earlier.status == "intent" else "waiting"
    # A provider may be full for long: its wait is told once.
    if decision.fresh or run.wanted_at is None:
        say(tx, run, now, send.step_id, "postponed", f"{decision.reason}: {decision.detail}")
    run.wanted_at = decision.until if decision.fresh else run.wanted_at or run.due_at
    run.due_at, run.lease_until = decision.until, None


def finish(tx: AsyncSession, run: FlowRun, status: str, reason: str, now: datetime) -> None:
    """The run is over."""
    run.status, run.due_at, run.lease_until = status, None, None
    run.ended_at, run.end_reason, run.wanted_at = now, reason, None
    say(tx, run, now, run.step, "ended", reason)


def after_failure(tx: AsyncSession, run: FlowRun, why: str, now: datetime) -> None:
    """A failure that is no provider's answer: tried again later, and put aside as dead after a few times."""
    run.attempts += 1
    if run.attempts >= MAX_FAILURES:
        finish(tx, run, "dead", f"failed {run.attempts} times: {why}", now)
    else:
        run.due_at, run.lease_until = now + backoff(run.attempts), None
        say(tx, run, now, run.step, "failed", why)
