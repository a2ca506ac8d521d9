"""Background jobs of one project, beside another whose rows have the same ids: nothing of it is touched or told."""

from __future__ import annotations

import inspect
import re

from sqlalchemy import text

from adapters.postgres.base import Base
from insights import worker
from insights.privacy.requests import carry_out
from tests.access.conftest import Next
from tests.access.neighbour import fill
from tests.api.conftest import Api

JOBS = {
    "_tick": lambda services: worker._tick(services.database),
    "_erase": lambda services: carry_out(services.database, services.profiles.forget),
    "_listen": lambda services: worker.listen_for_flows(services.database),
    "_retain": worker._retain,
    "_look": lambda services: services.looker.look_everywhere(),
    "_tell": lambda services: services.messenger.send_everywhere(),
    "closer": lambda services: services.closer.close_due(),
    "runner": lambda services: services.runner.run_due(),
    "uptake": lambda services: services.uptake.see_to_due(),
    "learner": lambda services: services.learner.round(),
}
"""What each job of the worker does in one turn; what is erased comes last, or there would be nothing left to do."""

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
    source = inspect.getsource(worker.work)
    named = set(re.findall(r"add_job\((\w+)", source)) | set(re.findall(r"services\.(\w+)\.serve", source))
    assert named == set(JOBS), "say in JOBS what one turn of it is"


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
    for name in sorted(JOBS, key=lambda job: job == "_erase"):
        await JOBS[name](api.services)  # type: ignore[no-untyped-call]
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
