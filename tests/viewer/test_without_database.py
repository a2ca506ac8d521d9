"""When the database is away or too slow, the page says what to do."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import httpx
from sqlalchemy import text

from adapters.postgres.engine import Database, DatabaseUrls
from insights.viewer.reading import Reader
from tests.viewer.conftest import log_in, viewer
from tests.viewer.seed import Keys


async def test_an_unreachable_database_is_a_page_with_advice(tmp_path: Path, keys: Keys) -> None:
    nowhere = f"postgresql://nobody@/none?host={tmp_path}"
    database = Database(DatabaseUrls(owner=nowhere, app=nowhere))
    outer = viewer(database, keys)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(outer), base_url="http://viewer.test", cookies={"whyleft_viewer": "a cookie"}
    ) as client:
        answer = await client.get("/app/sessions")
    await database.close()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "The database cannot be reached" in answer.text
    assert "Traceback" not in answer.text


async def test_a_search_that_takes_too_long_says_how_to_narrow_it(
    database: Database, project_id: UUID, keys: Keys
) -> None:
    app = viewer(database, keys, query_seconds=0.05)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://viewer.test") as client:
        await log_in(client, await keys.make(database, project_id))
        async with database.transaction(None) as tx:
            # A lock that the page has to wait for, so that the limit is met however fast the machine is.
            await tx.execute(text("LOCK TABLE project IN ACCESS EXCLUSIVE MODE"))
            answer = await client.get("/app/sessions")
    assert answer.status_code == 503
    assert "That takes too long" in answer.text


async def test_a_page_can_change_nothing(database: Database, project_id: UUID) -> None:
    async with Reader(database).reading(project_id) as tx:
        assert await tx.scalar(text("SHOW transaction_read_only")) == "on"
