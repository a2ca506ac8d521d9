"""What a flow would have done to the visits of the past, counted; and one visit step by step. Nothing of it stays."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from flows.definition import FlowDefinition
from flows.ports import Channels, Composer, Holdout, Knowledge
from insights.building.entrants import by_person, entrants_between
from insights.building.one_visit import entrance_of
from insights.building.order import in_order
from insights.building.past import Past
from insights.building.rehearsal import Rehearsal
from insights.building.rehearsed import Case, Rehearsed

AT_ONCE: Final = 20
"""People in one transaction: nothing is held for longer than they take."""
LONGEST_SECONDS: Final = 20.0
MOST_SAMPLES: Final = 20
FAR_AHEAD: Final = timedelta(days=400)
"""Longer than a run may take: without a clock of its own, a step-through goes to the end."""


@dataclass(slots=True)
class StepCount:
    """What would have become of the runs at a step. ``ways``: where they went on, ``skipped``: reason → how many."""

    entered: int = 0
    waiting: int = 0
    sent: int = 0
    done: int = 0
    ways: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Preview:
    """``examined`` cases were looked at of which ``matched`` are what the flow asks for; ``complete``: these are all
    there were. ``not_started``, ``ended``: reason → runs. ``sample``: a few of each kind of ending. ``basis``: the
    history that was looked at; ``assumed``: there is none, and the sample is of a trigger that did not happen."""

    since: datetime
    until: datetime
    basis: str = ""
    assumed: bool = False
    examined: int = 0
    matched: int = 0
    started: int = 0
    people: int = 0
    reached: int = 0
    complete: bool = True
    not_started: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    waiting: int = 0
    sends: Counter[str] = field(default_factory=Counter)
    steps: dict[str, StepCount] = field(default_factory=dict)
    sample: list[Rehearsed] = field(default_factory=list)


class Previewer:
    """Rehearses flows over what is stored. Every transaction of it is taken back."""

    def __init__(
        self,
        database: Database,
        *,
        composer: Composer,
        knowledge: Knowledge,
        channels: Channels,
        holdout: Holdout,
    ) -> None:
        self._database = database
        self._composer = composer
        self._knowledge = knowledge
        self._channels = channels
        self._holdout = holdout

    async def preview(
        self,
        project_id: UUID,
        flow: FlowDefinition,
        since: datetime,
        until: datetime,
        now: datetime,
        most: int,
        *,
        to_the_end: bool = False,
    ) -> Preview:
        """What the flow would have done to what happened in ``since`` … ``until``, until ``now``, or ``to_the_end`` of
        each run: at most to the latest ``most`` triggers, and for at most 20 seconds."""
        ahead = now + FAR_AHEAD if to_the_end else now
        found = Preview(since, until, steps={name: StepCount() for name in in_order(flow)})
        ends = time.monotonic() + LONGEST_SECONDS
        async with self._database.transaction(project_id) as tx:
            entrants = await entrants_between(tx, project_id, flow, since, until, most + 1)
        found.basis, found.assumed = entrants.basis, entrants.assumed
        if entrants.assumed:
            found.sample = await self._rehearse(project_id, flow, [entrants.cases], ahead, Preview(since, until))
            return found
        found.complete = len(entrants.cases) <= most
        people = by_person(entrants.cases[-most:])
        for first in range(0, len(people), AT_ONCE):
            if time.monotonic() > ends:
                found.complete = False
                break
            for ran in await self._rehearse(project_id, flow, people[first : first + AT_ONCE], ahead, found):
                _count(found, ran)
        found.sample = _spread(found.sample)
        return found

    async def step_through(
        self, project_id: UUID, flow: FlowDefinition, session_id: UUID, clock: datetime | None, now: datetime
    ) -> tuple[Rehearsed, bool, str | None]:
        """One visit's way through the flow up to ``clock`` (None: to its end), whether the flow asks for it, and
        what is taken as if it had happened. Raises NotFound."""
        async with self._database.transaction(project_id) as tx:
            entrance = await entrance_of(tx, project_id, flow, session_id)
            past = await self._past(tx, project_id, flow)
            case = entrance.case
            asked = await past.asks_for(case)
            until = clock or max(now, case.starts_at) + FAR_AHEAD
            ran = await Rehearsal(flow, case, await past.known(case), past, until).run()
            await tx.rollback()
        return ran, asked and entrance.assumed is None, entrance.assumed

    async def _rehearse(
        self, project_id: UUID, flow: FlowDefinition, people: Sequence[Sequence[Case]], now: datetime, found: Preview
    ) -> list[Rehearsed]:
        ran: list[Rehearsed] = []
        async with self._database.transaction(project_id) as tx:
            past = await self._past(tx, project_id, flow)
            for cases in people:
                theirs: list[Rehearsed] = []
                for case in cases:
                    found.examined += 1
                    if await past.asks_for(case):
                        known = await past.known(case)
                        theirs.append(await Rehearsal(flow, case, known, past, now, tuple(theirs)).run())
                found.people += any(run.status != "not_started" for run in theirs)
                found.reached += any(run.sends for run in theirs)
                ran += theirs
            await tx.rollback()
        return ran

    async def _past(self, tx: AsyncSession, project_id: UUID, flow: FlowDefinition) -> Past:
        past = Past(
            tx,
            project_id,
            flow,
            composer=self._composer,
            knowledge=self._knowledge,
            channels=self._channels,
            holdout=self._holdout,
        )
        await past.open()
        return past


def _count(found: Preview, ran: Rehearsed) -> None:
    found.matched += 1
    found.sample.append(ran)
    if ran.status == "not_started":
        found.not_started[ran.reason] += 1
        return
    found.started += 1
    entered: set[str] = {ran.step} if ran.step else set()
    for line in ran.lines:
        count = found.steps.get(line.step or "")
        if count is None:
            continue
        entered.add(line.step or "")
        if line.what == "skipped":
            count.skipped[line.detail.partition(":")[0]] += 1
        elif line.what == "sent":
            count.sent += 1
        elif line.what == "done":
            count.done += 1
        elif line.what in ("then", "otherwise", "waited", "signalled"):
            count.ways[line.what] += 1
        elif line.what == "split":
            count.ways[line.detail] += 1
    for name in entered:
        if name in found.steps:
            found.steps[name].entered += 1
    if ran.status == "waiting":
        found.waiting += 1
        found.steps[ran.step].waiting += 1
    else:
        found.ended[ran.reason] += 1
    for send in ran.sends:
        found.sends[send.channel] += 1


def _spread(ran: Sequence[Rehearsed]) -> list[Rehearsed]:
    """A few of each ending, the latest first, so that the rare ones are seen as well."""
    kinds: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[Rehearsed]] = {}
    for run in reversed(ran):
        kinds.setdefault((run.status, run.reason, tuple(run.skips())), []).append(run)
    chosen: list[Rehearsed] = []
    while len(chosen) < MOST_SAMPLES and any(kinds.values()):
        for runs in kinds.values():
            if runs and len(chosen) < MOST_SAMPLES:
                chosen.append(runs.pop(0))
    return chosen
