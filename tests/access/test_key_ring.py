"""Keys as a process remembers them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from adapters.postgres.engine import Database, DatabaseUrls
from insights.access.issuing import rotate
from insights.access.key_ring import GRACE, KeyRing
from insights.access.keys import create_key
from insights.models import ApiKey


@pytest.mark.parametrize(("kind", "after_the_first"), [("write", True), ("secret", False)])
async def test_a_revoked_write_key_serves_one_more_request_and_a_secret_one_none(
    database: Database, kind: str, after_the_first: bool
) -> None:
    now = [0.0]
    ring = KeyRing(database, clock=lambda: now[0])
    made = await create_key(database, f"shop-{uuid4()}", kind, [])  # type: ignore[arg-type]
    assert await ring.resolve(made.key) is not None
    async with database.transaction(made.project_id) as tx:
        await tx.execute(update(ApiKey).values(revoked_at=datetime.now(UTC)))
    assert await ring.resolve(made.key) is not None
    now[0] = 11.0
    assert (await ring.resolve(made.key) is not None) is after_the_first
    await ring.close()
    assert await ring.resolve(made.key) is None


@pytest.mark.parametrize("kind", ["write", "secret"])
async def test_a_rotated_key_serves_no_request_after_its_overlap(database: Database, kind: str) -> None:
    now = [0.0]
    ring = KeyRing(database, clock=lambda: now[0])
    made = await create_key(database, f"shop-{uuid4()}", kind, [])  # type: ignore[arg-type]
    async with database.transaction(made.project_id) as tx:
        key_id = (await tx.scalars(select(ApiKey.id).where(ApiKey.project_id == made.project_id))).one()
        await rotate(tx, made.project_id, key_id, overlap=timedelta(seconds=9), now=datetime.now(UTC))
    assert await ring.resolve(made.key) is not None
    # Nine seconds later, by both clocks.
    async with database.transaction(made.project_id) as tx:
        await tx.execute(update(ApiKey).where(ApiKey.id == key_id).values(expires_at=datetime.now(UTC) - timedelta(1)))
    now[0] = 9.0
    assert await ring.resolve(made.key) is None
    await ring.close()


async def test_while_the_database_is_away_a_good_write_key_stays_good_for_a_while(
    database: Database, database_urls: DatabaseUrls
) -> None:
    now = [0.0]
    ring = KeyRing(database, clock=lambda: now[0])
    made = await create_key(database, f"shop-{uuid4()}", "write", [])
    assert await ring.resolve(made.key) is not None
    ring._database = nowhere = Database(DatabaseUrls(owner="", app="postgresql://whyleft_app@127.0.0.1:1/none"))
    now[0] = 11.0
    assert await ring.resolve(made.key) is not None
    await ring.close()
    now[0] = 11.0 + GRACE
    with pytest.raises(Exception, match="connection"):
        await ring.resolve(made.key)
    await nowhere.close()


async def test_what_cannot_be_a_key_is_not_looked_for() -> None:
    ring = KeyRing(Database(DatabaseUrls(owner="", app="postgresql://whyleft_app@127.0.0.1:1/none")))
    assert await ring.resolve("nonsense") is None
    assert await ring.resolve("wl_w_" + "x" * 200) is None
