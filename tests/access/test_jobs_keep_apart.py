"""Background jobs of one project, beside another whose rows have the same ids: nothing of it is touched or told."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable

from sqlalchemy import text

from adapters.postgres.base import Base
from insights import worker
from insights.wiring.services import Services
from tests.access.conftest import Next
from tests.access.neighbour import fill
from tests.api.conftest import Api

TURNS: dict[str, Callable[[Services], Awaitable[object]]] = {
    "closer": lambda services: services.closer.close_due(),
    "runner": lambda services: services.runner.run_due(),
    "uptake": lambda services: services.uptake.see_to_due(),
    "learner": lambda services: services.learner.round(),
}
"""One turn of each job that serves until it is stopped. What ticks is in the worker's own list."""


async def one_turn_of_all(services: Services) -> None:
    """What is erased comes last, or there would be nothing left to do for the others."""
    for turn in TURNS.values():
        await turn(services)
    for tick in sorted(worker.ticks(services), key=lambda tick: tick.put_off == "people_not_erased"):
        await tick.work()


TURNS_OF_EACH = {
    "audit_entry",
    "flow_schedule",
    "flow_watch",
    "pattern_look",
    "policy",
    "policy_bucket",
    "policy_change",
    "policy_snapshot",
    "reward",
    "shop",
}
"""Tables in which every project has its turn, whether it has work or not: learning, patterns, what flows listen for."""


def test_every_job_of_the_worker_is_among_them() -> None:
    served = set(re.findall(r"services\.(\w+)\.serve", inspect.getsource(worker)))
    assert served == set(TURNS), "say in TURNS what one turn of it is"


async def test_no_background_job_of_one_project_touches_another_with_the_same_ids(api: Api, next_door: Next) -> None:
    """Both have rows of the same ids, which is more than any mistake in a query needs. Only one has work to do."""
    mine = await fill(api.services.database, api.project_id, same_ids_as=next_door.has)
    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(text("UPDATE session SET closed_at = NULL, close_at = now()"))
        await tx.execute(text("UPDATE flow_run SET status = 'waiting', due_at = now(), ended_at = NULL"))
        who = "jsonb_build_object('visitor', CAST(:visitor AS text), 'email', CAST(:email AS text))"
        await tx.execute(
            text(f"UPDATE privacy_request SET kind = 'erase_person', done_at = NULL, who = {who}"),  # noqa: S608
            {"visitor": str(mine.ids["visitor"]), "email": mine.word},
        )
    async with api.services.database.transaction(next_door.has.project_id) as tx:
        for table in ("flow_occurrence", "flow_schedule"):
            await tx.execute(text(f"UPDATE {table} SET due_at = now() + interval '1 day'"))  # noqa: S608
    before, own = await next_door.looks(), await next_door.looks(api.project_id)
    await one_turn_of_all(api.services)
    after, done = await next_door.looks(), await next_door.looks(api.project_id)
    worked = {table for table in done if done[table] != own[table]}
    assert {"session", "flow_run", "privacy_request", "visitor", "event"} <= worked, worked
    assert {table for table in after if after[table] != before[table]} <= TURNS_OF_EACH
    tables = [table.name for table in Base.metadata.sorted_tables if "project_id" in table.c]
    async with next_door.owner.connect() as connection:
        for table in tables:
            for project_id, others in ((api.project_id, next_door.has.word), (next_door.has.project_id, mine.word)):
                told = await connection.scalar(
                    text(f"SELECT count(*) FROM {table} t WHERE project_id = :id AND t::text LIKE :word"),  # noqa: S608
                    {"id": project_id, "word": f"%{others}%"},
                )
                assert told == 0, table
