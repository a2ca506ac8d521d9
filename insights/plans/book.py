"""Keeps the plans of a process: read when a project is first heard of, then looked at again behind the requests' backs.

A request never waits for a newer plan: it decides by the one at hand, and the next one is swapped in as a whole.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError

from adapters.postgres.engine import Database
from insights.decisions.plan import Plan
from insights.plans.load import Stamp, read_plan, read_stamp
from insights.vocabulary.ids import IdNumber

log = structlog.get_logger()

FRESH_SECONDS: Final = 5.0
"""How long a change may take to reach a process."""


@dataclass(slots=True)
class _Page:
    plan: Plan
    stamp: Stamp
    looked_at: float
    task: asyncio.Task[None] | None = None


class PlanBook:
    """The plans of all projects that a process has heard of. ``close`` it."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._pages: dict[IdNumber, _Page] = {}
        self._first: dict[UUID, asyncio.Task[_Page]] = {}

    def at_hand(self, project_id: UUID) -> Plan | None:
        """The plan where one is at hand; a newer one is looked for from time to time, behind the caller's back."""
        page = self._pages.get(project_id.int)
        if page is None:
            return None
        if page.task is None and self._clock() - page.looked_at > FRESH_SECONDS:
            page.task = asyncio.create_task(self._look_again(project_id, page), name="next plan")
        return page.plan

    async def plan_of(self, project_id: UUID) -> Plan:
        """The plan at hand; the first one is read, and raises what the database raises."""
        plan = self.at_hand(project_id)
        if plan is not None:
            return plan
        task = self._first.get(project_id)
        if task is None:
            task = self._first[project_id] = asyncio.create_task(self._read(project_id), name="first plan")
            task.add_done_callback(lambda done: self._first.pop(project_id, None))
        return (await asyncio.shield(task)).plan

    async def close(self) -> None:
        """Waits for what is being read."""
        tasks = [*self._first.values(), *(page.task for page in self._pages.values() if page.task is not None)]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, project_id: UUID) -> _Page:
        async with self._database.transaction(project_id) as tx:
            stamp = await read_stamp(tx, project_id)
            plan = await read_plan(tx, project_id)
        page = self._pages[project_id.int] = _Page(plan, stamp, self._clock())
        return page

    async def _look_again(self, project_id: UUID, page: _Page) -> None:
        try:
            async with self._database.transaction(project_id) as tx:
                stamp = await read_stamp(tx, project_id)
                if stamp != page.stamp:
                    page.plan, page.stamp = await read_plan(tx, project_id), stamp
        except (DBAPIError, OSError, TimeoutError) as error:
            log.warning("plan_not_refreshed", error=type(error).__name__)
        except Exception:
            # The old plan goes on; what is wrong with the new one is for whoever reads the log.
            log.exception("plan_unreadable", project=str(project_id))
        finally:
            page.looked_at = self._clock()
            page.task = None
