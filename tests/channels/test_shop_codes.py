"""The shop's own system knows every code that was given away, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from adapters.channels.contract import Accepted, Rejected, Retry, Unknown
from adapters.channels.recording import RecordingChannel
from adapters.postgres.engine import Database
from flows.ports import SameForAll
from insights.channels.shop_codes import CodeMirror, mirror_codes
from insights.models import ChannelSetup, DiscountCode, MirroredCode

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Shop(RecordingChannel):
    """A project's own channel."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.id = UUID(int=3)


async def set_up(database: Database, project_id: UUID, at: datetime) -> None:
    async with database.transaction(project_id) as tx:
        tx.add(
            ChannelSetup(
                project_id=project_id,
                id=uuid4(),
                kind="shopify",
                word="shop",
                name="our-shop",
                settings={},
                credentials=b"",
                enabled=True,
                created_at=at,
                updated_at=at,
                failures=0,
            )
        )


async def issued(database: Database, project_id: UUID, code: str, at: datetime, days: int = 7) -> None:
    async with database.transaction(project_id) as tx:
        tx.add(
            DiscountCode(
                project_id=project_id,
                code=code,
                issue_key=code,
                visitor_id=uuid4(),
                percent=15,
                issued_at=at,
                expires_at=at + timedelta(days=days),
            )
        )


async def mirrored(database: Database, project_id: UUID) -> dict[str, Any]:
    async with database.transaction(project_id) as tx:
        return {row.code: row.error for row in await tx.scalars(select(MirroredCode))}


async def test_a_code_is_told_once_and_those_of_before_are_not(database: Database, project_id: UUID) -> None:
    shop = Shop("shop", idempotency="natural")
    ways = SameForAll({"shop": shop})
    await issued(database, project_id, "OLD", NOW - timedelta(hours=3))
    assert await mirror_codes(database, ways, project_id, NOW) == 0
    await set_up(database, project_id, NOW - timedelta(hours=2))
    await issued(database, project_id, "KEEP", NOW - timedelta(hours=1))
    await issued(database, project_id, "OVER", NOW - timedelta(minutes=90), days=0)
    codes = CodeMirror(database, ways)
    assert await codes.round(NOW) == 1
    assert await codes.round(NOW + timedelta(seconds=5)) == 0
    (intent,) = shop.intents
    assert (intent.content["code"], intent.content["percent"]) == ("KEEP", 15)
    assert intent.content["until"].startswith("2026-11-28T11:00:00")


@pytest.mark.parametrize("answer", [Retry("away"), Unknown("lost")])
async def test_a_shop_that_is_away_is_told_later(database: Database, project_id: UUID, answer: Any) -> None:
    await set_up(database, project_id, NOW - timedelta(hours=2))
    for code in ("A", "B"):
        await issued(database, project_id, code, NOW - timedelta(hours=1))
    shop = Shop("shop", idempotency="natural", results=[answer, Accepted(), Accepted()])
    ways = SameForAll({"shop": shop})
    assert await mirror_codes(database, ways, project_id, NOW) == 0
    assert len(shop.intents) == 1
    assert await mirror_codes(database, ways, project_id, NOW) == 2


async def test_a_code_that_the_shop_refuses_is_not_told_again_and_says_why(
    database: Database, project_id: UUID
) -> None:
    await set_up(database, project_id, NOW - timedelta(hours=2))
    await issued(database, project_id, "BAD", NOW - timedelta(hours=1))
    shop = Shop("shop", idempotency="natural", results=[Rejected("Ends at is past.")])
    ways = SameForAll({"shop": shop})
    assert await mirror_codes(database, ways, project_id, NOW) == 0
    assert await mirror_codes(database, ways, project_id, NOW) == 0
    assert len(shop.intents) == 1
    assert await mirrored(database, project_id) == {"BAD": "Ends at is past."}
