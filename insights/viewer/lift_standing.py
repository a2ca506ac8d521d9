"""What acting brings so far, as last worked out: lift reads everybody, and a first page must not wait for that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from insights.lift import words
from insights.lift.read import HORIZON_DAYS, read_people
from insights.lift.report import Report, work_out
from insights.viewer.reading import Reader

log = structlog.get_logger()

FRESH: Final = timedelta(minutes=10)
WAIT_SECONDS: Final = 0.05
MOST_PROJECTS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Standing:
    """``verdict``: more, less, or cannot tell. ``alarm``: what is wrong with the groups, or ""."""

    at: datetime
    verdict: str
    difference: str
    interval: str
    words: str
    alarm: str


class LiftStanding:
    """Remembers the answer of each project, and works it out anew behind the page's back."""

    def __init__(self, reader: Reader, clock: Callable[[], datetime]) -> None:
        self._reader = reader
        self._clock = clock
        self._known: dict[UUID, Standing] = {}
        self._under_way: dict[UUID, asyncio.Task[None]] = {}

    async def of(self, project_id: UUID) -> Standing | None:
        """What stands; None while it is worked out for the first time, or where it cannot be."""
        known = self._known.get(project_id)
        if known is None or self._clock() - known.at > FRESH:
            task = self._under_way.get(project_id)
            if task is None:
                task = asyncio.create_task(self._work_out(project_id))
                self._under_way[project_id] = task
                task.add_done_callback(lambda _: self._under_way.pop(project_id, None))
            await asyncio.wait([task], timeout=WAIT_SECONDS)
        return self._known.get(project_id)

    async def _work_out(self, project_id: UUID) -> None:
        try:
            now = self._clock()
            async with self._reader.reading(project_id) as tx:
                read = await read_people(tx, project_id, now, horizon_days=HORIZON_DAYS)
            report = await asyncio.to_thread(lambda: work_out(read.people(), read.question, "action"))
        except Exception as error:
            # The lift page says what is wrong; the first page goes without.
            log.warning("lift_not_worked_out", error=type(error).__name__)
            return
        if len(self._known) >= MOST_PROJECTS:
            self._known.clear()
        self._known[project_id] = _standing(report, now)


def _standing(report: Report, now: datetime) -> Standing:
    unit = words.Conversion()
    found = report.conversion.comparison
    difference, interval = "", ""
    if found is not None:
        difference = unit.signed(found.difference.value)
        low, high = found.difference.low, found.difference.high
        if low is not None and high is not None:
            interval = f"{unit.signed(low)} to {unit.signed(high)}"
    alarm = words.balance_words(report) if report.balance.alarm else ""
    return Standing(now, report.conversion.verdict, difference, interval, words.conversion_words(report), alarm)
