"""Data platforms hear of every decision and insight once, whatever breaks in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from adapters.channels.contract import Accepted, Channel, Result, Retry, SendIntent
from adapters.channels.recording import RecordingChannel
from adapters.postgres.engine import Database
from flows.ports import SameForAll
from insights.channels.platform_feed import MOST_AT_ONCE, feed_platforms
from insights.models import ChannelSetup, Decision, Insight, Visitor
from insights.vocabulary.ids import uuid7

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CHANNEL = UUID(int=9)


class Platform(RecordingChannel):
    """A platform that remembers the message ids it heard."""

    def __init__(self, *results: Result) -> None:
        super().__init__("cdp", idempotency="natural", results=results)
        self.id = CHANNEL
        self.heard: list[dict[str, Any]] = []

    async def send(self, intent: SendIntent) -> Result:
        result = await super().send(intent)
        if isinstance(result, Accepted):
            self.heard.extend(intent.content["events"])
        return result


async def set_up(database: Database, project_id: UUID, at: datetime = NOW - timedelta(hours=1)) -> None:
    async with database.transaction(project_id) as tx:
        tx.add(
            ChannelSetup(
                project_id=project_id,
                id=CHANNEL,
                kind="segment",
                word="cdp",
                name="segment",
                settings={},
                credentials=b"",
                enabled=True,
                created_at=at,
                updated_at=at,
                failures=0,
            )
        )


async def decided(database: Database, project_id: UUID, *times: datetime) -> None:
    visitor = uuid4()
    async with database.transaction(project_id) as tx:
        tx.add(
            Visitor(
                project_id=project_id, id=visitor, first_seen_at=NOW, user_id="customer-7", email="anna@example.com"
            )
        )
        for at in times:
            tx.add(
                Decision(
                    project_id=project_id,
                    id=uuid7(int(at.timestamp() * 1000)),
                    visitor_id=visitor,
                    session_id=uuid7(),
                    event_id=uuid7(),
                    decided_at=at,
                    policy="rules-1",
                    stage="browser",
                    intent={"propensity": 0.4},
                    probabilities={"cart_save": 1.0, "do_nothing": 0.0},
                    excluded={},
                    action="cart_save",
                    why="Because.",
                    latency_us=5,
                )
            )


def feed(database: Database, platform: Channel, now: datetime = NOW) -> Any:
    return feed_platforms(database, SameForAll({"cdp": platform}), now)


async def test_what_was_decided_and_understood_is_told_once_without_addresses(
    database: Database, project_id: UUID
) -> None:
    await set_up(database, project_id)
    await decided(
        database, project_id, NOW - timedelta(hours=2), NOW - timedelta(minutes=3), NOW - timedelta(seconds=1)
    )
    async with database.transaction(project_id) as tx:
        tx.add(
            Insight(
                project_id=project_id,
                id=uuid4(),
                session_id=uuid7(),
                visitor_id=uuid4(),
                kind="abandoned",
                reason="price_hesitation",
                confidence=0.8,
                narrative="They looked at the price.",
                evidence=[],
                suggested_actions=[],
                classifier="evidence-2",
                timeline_hash="x",
                created_at=NOW - timedelta(minutes=2),
            )
        )
    platform = Platform()
    # What was before it was set up is not told, and what is a second old may have an older sibling under way.
    assert await feed(database, platform) == 2
    decision, insight = platform.heard
    assert (decision["event"], decision["user_id"]) == ("Whyleft Decision", "customer-7")
    assert (decision["properties"]["action"], decision["properties"]["probability"]) == ("cart_save", 1.0)
    assert (insight["event"], insight["properties"]["reason"]) == ("Whyleft Insight", "price_hesitation")
    assert "example.com" not in str(platform.heard)
    assert await feed(database, platform, NOW + timedelta(minutes=1)) == 1
    assert await feed(database, platform, NOW + timedelta(minutes=2)) == 0


async def test_a_platform_that_was_away_hears_it_later_from_where_it_stopped(
    database: Database, project_id: UUID
) -> None:
    await set_up(database, project_id)
    count = 2 * MOST_AT_ONCE + 5
    # Some at the very same moment: none of them may be passed over.
    times = [NOW - timedelta(minutes=30) + timedelta(milliseconds=number // 7) for number in range(count)]
    await decided(database, project_id, *times)
    platform = Platform(Accepted(), Retry("away"))
    assert await feed(database, platform) == MOST_AT_ONCE
    assert await feed(database, platform, NOW + timedelta(minutes=1)) == count - MOST_AT_ONCE
    ids = [event["message_id"] for event in platform.heard]
    assert len(ids) == len(set(ids)) == count


async def test_two_workers_at_once_tell_it_once(database: Database, project_id: UUID) -> None:
    await set_up(database, project_id)
    await decided(database, project_id, NOW - timedelta(minutes=3))

    class Meets(Platform):
        async def send(self, intent: SendIntent) -> Result:
            # While this one is at it, the other comes by.
            self.other = await feed(database, Platform(), NOW + timedelta(seconds=1))
            return await super().send(intent)

    platform = Meets()
    assert await feed(database, platform) == 1
    assert platform.other == 0
