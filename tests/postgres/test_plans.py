"""Statements that keep no plan: a table that was empty when they were first run is read by the index it needs now."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from adapters.postgres.plans import PLANNED_ANEW
from flows.ports import Trigger
from flows.starting import start_runs
from insights.segments.knowledge import VisitorKnowledge
from tests.flows.world import WAIT_THEN_SEND, World, plan

OFTEN = 20


async def prepared(tx: AsyncSession, said: str) -> int:
    held = text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE :said")
    return int(await tx.scalar(held, {"said": f"%{said}%"}))


async def rows_read(tx: AsyncSession) -> int:
    """How many rows of runs this connection has read, of those not told to the others yet."""
    read = text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'flow_run'")
    return int(await tx.scalar(read) or 0)


async def test_what_is_planned_anew_is_not_prepared_and_what_runs_beside_it_is(database: Database) -> None:
    kept, anew = text("SELECT 'kept' || :n"), text("SELECT 'anew' || :n").execution_options(**PLANNED_ANEW)
    async with database.transaction(None) as tx:
        for n in range(OFTEN):
            for statement, said in ((kept, "kept"), (anew, "anew")):
                assert await tx.scalar(statement, {"n": str(n)}) == f"{said}{n}"
        assert (await prepared(tx, "SELECT 'kept'"), await prepared(tx, "SELECT 'anew'")) == (1, 0)


async def test_a_start_reads_the_runs_it_asks_for_in_a_table_that_was_never_analysed(
    database: Database, project_id: UUID
) -> None:
    await World(database, project_id).publish(plan(WAIT_THEN_SEND))

    async def start(first: int, many: int) -> int:
        now = datetime.now(UTC)
        triggers = [
            Trigger("insight", f"insight:{n}", f"group:{n}", uuid4(), now, {"insight": {}})
            for n in range(first, first + many)
        ]
        async with database.transaction(project_id) as tx:
            before = await rows_read(tx)
            assert len(await start_runs(tx, project_id, triggers, now, VisitorKnowledge())) == many
            return await rows_read(tx) - before

    for first in range(0, 3_000, 50):
        await start(first, 50)
    # In so small a table as the first ones met any index will do.
    assert await start(3_000, 50) < 500
