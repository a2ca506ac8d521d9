"""Tickets after they were opened: told of more, closed when the error stops, and their end told to who met it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import Accepted, Channel
from adapters.channels.kinds import open_channel
from adapters.postgres.engine import Database
from flows.models import Delivery, FlowRun
from flows.ports import SameForAll
from flows.triggers import signal, signal_given_at
from insights.channels.ticket_watch import EVERY, FIXED, STOPPED, watch_tickets
from insights.models import Session, TicketWatch
from insights.vocabulary.ids import uuid7
from tests.channels.contract.examples.work import EXAMPLES
from tests.channels.contract.far_side import Provider, Reply, line_to, provider

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ERROR = "POST /api/cart 500"
EXAMPLE = {example.kind: example for example in EXAMPLES}
CHANNEL = UUID(int=7)


class Shop:
    """A project with one ticket at GitHub, opened ``NOW``; ``later`` looks at it so much later."""

    def __init__(self, database: Database, project_id: UUID, far: Provider, channel: Channel) -> None:
        self.database, self.project_id, self.far = database, project_id, far
        self.channels = SameForAll({"ticket": channel})

    async def later(self, passed: timedelta) -> int:
        return await watch_tickets(self.database, self.channels, NOW + passed)

    async def meets_error(self, at: datetime) -> None:
        async with self.database.transaction(self.project_id) as tx:
            tx.add(_run(self.project_id, at))

    async def somebody_visits(self, at: datetime) -> None:
        async with self.database.transaction(self.project_id) as tx:
            tx.add(
                Session(
                    project_id=self.project_id,
                    id=uuid7(),
                    visitor_id=uuid4(),
                    started_at=at,
                    last_event_at=at,
                    last_received_at=at,
                )
            )

    async def watch(self) -> TicketWatch:
        async with self.database.transaction(self.project_id) as tx:
            return (await tx.scalars(select(TicketWatch))).one()

    async def given(self) -> bool:
        async with self.database.transaction(self.project_id) as tx:
            return await signal_given_at(tx, self.project_id, FIXED, ERROR) is not None

    def said(self) -> list[Any]:
        return [call.json for call in self.far.arrived if call.method in ("PATCH", "POST")]


def _run(project_id: UUID, at: datetime) -> FlowRun:
    return FlowRun(
        project_id=project_id,
        id=uuid4(),
        flow_id=uuid4(),
        version_id=uuid4(),
        visitor_id=uuid4(),
        trigger_key=str(uuid4()),
        trigger_group=str(uuid4()),
        triggered_at=at,
        facts={"error": {"fingerprint": ERROR}},
        exit_on_conversion=False,
        status="done",
        step="ticket",
        waiting=False,
        signalled=False,
        attempts=0,
        started_at=at,
    )


async def _opened(tx: AsyncSession, project_id: UUID, content: Mapping[str, Any]) -> None:
    run = _run(project_id, NOW)
    tx.add(run)
    tx.add(
        Delivery(
            project_id=project_id,
            id=uuid4(),
            run_id=run.id,
            step="ticket",
            action="create_ticket",
            visitor_id=run.visitor_id,
            channel="ticket",
            recipient=None,
            dedupe_key=f"{ERROR}:2026-11-21",
            content=dict(content),
            status="accepted",
            attempts=1,
            provider_id="1347",
            created_at=NOW,
            decided_at=NOW,
            channel_id=CHANNEL,
        )
    )


@pytest.fixture
async def shop(database: Database, project_id: UUID) -> AsyncIterator[Shop]:
    example = EXAMPLE["github"]
    async with provider() as far:
        channel = open_channel("github", example.settings, example.credentials, line_to(far.port), id=CHANNEL)
        far.replies = {
            "GET /repos/shop/web/issues/1347": Reply(200, {"number": 1347, "state": "open"}),
            "PATCH /repos/shop/web/issues/1347": Reply(200, {"number": 1347, "state": "closed"}),
            "POST /repos/shop/web/issues/1347/comments": Reply(201, {"id": 5}),
        }
        async with database.transaction(project_id) as tx:
            await _opened(tx, project_id, {"fingerprint": ERROR, "sessions": 1})
        yield Shop(database, project_id, far, channel)


async def test_a_ticket_is_told_when_many_more_have_met_its_error(shop: Shop) -> None:
    assert await shop.later(timedelta(hours=1)) == 0
    assert shop.said() == []
    for minutes in range(4):
        await shop.meets_error(NOW + timedelta(hours=1, minutes=minutes))
    assert await shop.later(timedelta(hours=2)) == 0
    (comment,) = shop.said()
    assert comment["body"].startswith("5 sessions have met this by now")
    assert await shop.later(timedelta(hours=3)) == 0
    assert len(shop.said()) == 1


async def test_an_error_that_stopped_closes_its_ticket_and_tells_nobody_that_it_is_fixed(shop: Shop) -> None:
    late = STOPPED + timedelta(hours=1)
    # Nobody came at all: that says nothing.
    assert await shop.later(late) == 0
    await shop.somebody_visits(NOW + late)
    assert await shop.later(late + EVERY + timedelta(seconds=1)) == 1
    watch = await shop.watch()
    assert (watch.closed_by, watch.closed_at is not None) == ("us", True)
    comment, closing = shop.said()
    assert comment["body"].startswith("Nobody has met this since 2026-11-21 12:00 UTC. 1 sessions")
    assert closing == {"state": "closed", "state_reason": "completed"}
    assert not await shop.given()
    assert await shop.later(late + timedelta(hours=2)) == 0


async def test_who_met_an_error_hears_of_it_when_an_engineer_closes_the_ticket(shop: Shop) -> None:
    shop.far.replies["GET /repos/shop/web/issues/1347"] = Reply(200, {"number": 1347, "state": "closed"})
    assert await shop.later(timedelta(hours=1)) == 1
    assert (await shop.watch()).closed_by == "them"
    assert await shop.given()
    assert shop.said() == []


async def test_what_was_said_to_be_fixed_is_closed_at_the_tracker(shop: Shop) -> None:
    async with shop.database.transaction(shop.project_id) as tx:
        await signal(tx, shop.project_id, FIXED, ERROR, NOW + timedelta(minutes=5))
    assert await shop.later(timedelta(hours=1)) == 1
    assert (await shop.watch()).closed_by == "us"


@pytest.mark.parametrize("reply", [Reply(500, {}), Reply(404, {"message": "Not Found"}), Reply(fault="drop")])
async def test_a_tracker_that_is_away_closes_nothing(shop: Shop, reply: Reply) -> None:
    shop.far.replies["GET /repos/shop/web/issues/1347"] = reply
    assert await shop.later(timedelta(hours=1)) == 0
    assert (await shop.watch()).closed_at is None
    assert not await shop.given()


@pytest.mark.parametrize(
    ("kind", "states", "replies"),
    [
        (
            "jira",
            {"GET": {"fields": {"status": {"statusCategory": {"key": "done"}}}}},
            {
                "GET /rest/api/3/issue/SHOP-1/transitions": Reply(
                    200, {"transitions": [{"id": "9", "to": {"statusCategory": {"key": "done"}}}]}
                ),
                "POST /rest/api/3/issue/SHOP-1/transitions": Reply(204),
            },
        ),
        (
            "linear",
            {"POST": {"data": {"issue": {"id": "SHOP-1", "state": {"type": "completed"}}}}},
            {},
        ),
    ],
)
async def test_each_tracker_says_whether_a_ticket_is_open(
    kind: str, states: dict[str, Any], replies: dict[str, Reply]
) -> None:
    example = EXAMPLE[kind]
    async with provider() as far:
        channel = open_channel(kind, example.settings, example.credentials, line_to(far.port))
        path = "/graphql" if kind == "linear" else "/rest/api/3/issue/SHOP-1"
        ((method, body),) = states.items()
        far.replies = {f"{method} {path}": Reply(200, body), **replies}
        assert await channel.is_open("SHOP-1") is False  # type: ignore[attr-defined]
        if kind == "jira":
            closing = example.intent(do="close", ticket="SHOP-1", comment="Nobody has met this since.")
            assert isinstance(await channel.send(closing), Accepted)
            assert far.arrived[-1].json == {"transition": {"id": "9"}}
