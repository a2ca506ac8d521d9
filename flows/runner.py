"""Drives runs: claims those that are due, of every project, and lets each go on as far as it can.

A run is leased while it is worked on. A worker that dies loses its leases, and the next one goes on where the database
says the run stands. Many runs go on at once where nothing is sent (``strides``); the others take turns of their own
(``turn``), of each flow and each project only so many at a time, so that one whose sends hang or fail delays no other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from adapters.channels.contract import Channel
from adapters.postgres.engine import Database
from adapters.postgres.faults import gone
from adapters.postgres.leases import lag
from adapters.postgres.wakeups import Wakeups
from adapters.telemetry.meters import Meters
from flows.claims import Claim, RunClaims
from flows.ports import NOBODY_HELD_OUT, Channels, Composer, Facts, Holdout, Knowledge, SameForAll, Surroundings
from flows.strides import Strides
from flows.triggers import WAKE_CHANNEL
from flows.turn import Turns

log = structlog.get_logger()

TURNS: Final = 80
"""Turns at a time. One that waits for a provider holds no connection to the database."""
TURNS_OF_A_PROJECT: Final = 64
TURNS_OF_A_FLOW: Final = 16
LONGEST_PAUSE: Final = 1.0
"""Seconds after which is looked again, whatever was announced: a notification may be lost with its connection."""


class Runner:
    """Runs the flows of every project."""

    def __init__(
        self,
        database: Database,
        *,
        channels: Channels | Mapping[str, Channel],
        composer: Composer,
        facts: Facts,
        knowledge: Knowledge,
        clock: Callable[[], datetime],
        holdout: Holdout = NOBODY_HELD_OUT,
        lease: timedelta = timedelta(seconds=60),
        batch: int = 200,
        meters: Meters | None = None,
    ) -> None:
        self._database = database
        self._meters = meters or Meters()
        ways = SameForAll(channels) if isinstance(channels, Mapping) else channels
        around = Surroundings(ways, composer, facts, knowledge, holdout)
        self._turns = Turns(database, around, clock, lease, self._meters)
        self._strides = Strides(database, clock)
        self._claims = RunClaims(database)
        self._clock = clock
        self._lease = lease
        self._batch = batch
        self._under_way: set[asyncio.Task[None]] = set()
        self._of_flow: Counter[UUID] = Counter()
        self._of_project: Counter[UUID] = Counter()

    async def serve(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set: woken by a notification, when the next run is due, and every second in any case.
        What was claimed and not begun by then is left to others at once."""
        async with Wakeups(self._database.urls, WAKE_CHANNEL).listening() as wakeups:
            try:
                while not stop.is_set():
                    pause = LONGEST_PAUSE
                    try:
                        pause = await self._round(wakeups)
                    except (SQLAlchemyError, OSError) as error:
                        log.warning("flows_paused", error=type(error).__name__)
                    if pause > 0:
                        await wakeups.wait(stop, at_most=pause)
            finally:
                await asyncio.gather(*self._under_way, return_exceptions=True)
                with contextlib.suppress(SQLAlchemyError, OSError):
                    await self._claims.free()

    async def _round(self, wakeups: Wakeups) -> float:
        """Claims what there is room for and sets it going; returns how many seconds nothing is to be done."""
        if len(self._under_way) >= TURNS:
            return LONGEST_PAUSE  # a turn that ends wakes us
        busy = {flow for flow, turns in self._of_flow.items() if turns >= TURNS_OF_A_FLOW}
        full = {project for project, turns in self._of_project.items() if turns >= TURNS_OF_A_PROJECT}
        claims, following = await self._claim(busy, full)
        for claim in await self._strode(claims):
            if not self._has_room(claim):
                self._claims.give_back([claim])
                continue
            task = asyncio.create_task(self._turn(claim, wakeups))
            self._under_way.add(task)
            self._of_flow[claim.flow_id] += 1
            self._of_project[claim.project_id] += 1
            task.add_done_callback(partial(self._over, claim))
        if following is None:
            return 0.0 if len(claims) >= self._batch else LONGEST_PAUSE
        return min(LONGEST_PAUSE, max(0.0, (following - self._clock()).total_seconds()))

    def _has_room(self, claim: Claim) -> bool:
        return (
            len(self._under_way) < TURNS
            and self._of_flow[claim.flow_id] < TURNS_OF_A_FLOW
            and self._of_project[claim.project_id] < TURNS_OF_A_PROJECT
        )

    async def _turn(self, claim: Claim, wakeups: Wakeups) -> None:
        try:
            await self._turns.take(claim)
        except Exception as error:
            # The database went away, or others held the run. Whoever takes it over finds it as it was.
            self._claims.give_back([claim])
            log.warning("flows_paused", error=type(error).__name__)
        except BaseException:
            self._claims.give_back([claim])
            raise
        finally:
            wakeups.ring()

    def _over(self, claim: Claim, task: asyncio.Task[None]) -> None:
        self._under_way.remove(task)
        for turns, of in ((self._of_flow, claim.flow_id), (self._of_project, claim.project_id)):
            turns[of] -= 1
            if not turns[of]:
                del turns[of]

    async def run_due(self, stop: asyncio.Event | None = None) -> int:
        """Claims one batch of due runs and lets each go on; returns how many. One bad run does not stop the others."""
        claims, _ = await self._claim((), ())
        places = asyncio.Semaphore(TURNS_OF_A_FLOW)

        async def work(claim: Claim) -> None:
            async with places:
                if stop is not None and stop.is_set():
                    self._claims.give_back([claim])
                    return
                try:
                    await self._turns.take(claim)
                except BaseException:
                    # The database went away, others held the run, or our time is up: whoever takes it over finds it so.
                    self._claims.give_back([claim])
                    raise

        outcomes = await asyncio.gather(*map(work, await self._strode(claims)), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return len(claims)

    async def _claim(self, busy: Collection[UUID], full: Collection[UUID]) -> tuple[list[Claim], datetime | None]:
        now = self._clock()
        with self._meters.timed("flows.claim"):
            claims, following = await self._claims.claim_runs(now, now + self._lease, self._batch, busy=busy, full=full)
        self._meters.lag_seconds.labels("flows").set(lag(claims, now))
        return claims, following

    async def _strode(self, claims: Sequence[Claim]) -> list[Claim]:
        """Moves on together what can be; returns those that need a turn of their own."""
        projects: dict[UUID, list[Claim]] = {}
        for claim in claims:
            projects.setdefault(claim.project_id, []).append(claim)
        left: list[Claim] = []
        for own in projects.values():
            done: set[UUID] = set()
            try:
                with self._meters.timed("flows.stride"):
                    done = await self._strides.take(own)
            except Exception as error:
                if gone(error):
                    self._claims.give_back(claims)
                    raise
                # One of them is at fault: each takes its own turn, where it harms no other.
                log.warning("stride_failed", runs=len(own), error=type(error).__name__)
            left += [claim for claim in own if claim.id not in done]
        return left
