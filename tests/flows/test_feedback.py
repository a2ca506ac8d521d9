"""What providers report of deliveries: once each, in any order, and what follows from it."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from adapters.channels.contract import EventKind, ProviderEvent
from adapters.postgres.engine import Database
from flows.feedback import REMEMBERED, Taken, fate_after, forget_old_reports, take_in
from flows.models import Delivery, DeliveryEvent, HeardProviderEvent, RunEvent, Suppression

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CHANNEL = uuid4()
KINDS: tuple[EventKind, ...] = (
    "delivered",
    "deferred",
    "bounced",
    "rejected",
    "complained",
    "unsubscribed",
    "resubscribed",
    "opened",
    "clicked",
)


async def delivery(database: Database, project_id: UUID, status: str = "accepted", **other: Any) -> UUID:
    identifier = uuid4()
    async with database.transaction(project_id) as tx:
        tx.add(
            Delivery(
                project_id=project_id,
                id=identifier,
                run_id=uuid4(),
                step="mail",
                action="send_email",
                visitor_id=uuid4(),
                channel="email",
                recipient=f"{identifier}@example.com",
                dedupe_key=str(identifier),
                content={},
                status=status,
                attempts=1,
                created_at=NOW,
                **{"provider_id": f"p-{identifier}", "channel_id": CHANNEL, **other},
            )
        )
    return identifier


def event(kind: EventKind, of: UUID, minutes: int = 0, **other: Any) -> ProviderEvent:
    given = {"id": f"{kind}/{of}/{minutes}", "key": str(of), "recipient": f"{of}@Example.com"} | other
    return ProviderEvent(kind=kind, at=NOW + timedelta(minutes=minutes), **given)


async def take(database: Database, project_id: UUID, *events: ProviderEvent, channel: UUID = CHANNEL) -> Taken:
    async with database.transaction(project_id) as tx:
        return await take_in(tx, project_id, channel, "email", events, NOW)


async def state(database: Database, project_id: UUID, of: UUID) -> tuple[str, str | None, list[str], list[str]]:
    """Status, fate, kinds of events, reasons of suppression."""
    async with database.transaction(project_id) as tx:
        row = await tx.get_one(Delivery, (project_id, of))
        kinds = await tx.scalars(
            select(DeliveryEvent.kind).where(DeliveryEvent.delivery_id == of).order_by(DeliveryEvent.kind)
        )
        reasons = await tx.scalars(select(Suppression.reason).where(Suppression.recipient == f"{of}@example.com"))
        return row.status, row.fate, list(kinds), [reason[:12] for reason in reasons]


async def test_a_report_counts_once_however_often_and_at_once_it_comes(database: Database, project_id: UUID) -> None:
    of = await delivery(database, project_id)
    results = await asyncio.gather(*(take(database, project_id, event("bounced", of)) for _ in range(20)))
    assert sorted((taken.new, taken.repeated) for taken in results) == [(0, 1)] * 19 + [(1, 0)]
    assert await state(database, project_id, of) == ("accepted", "bounced", ["bounced"], ["The address "])


async def test_calls_with_the_same_deliveries_in_other_orders_do_not_lock_each_other_out(
    database: Database, project_id: UUID
) -> None:
    many = [await delivery(database, project_id) for _ in range(12)]

    async def call(number: int) -> Taken:
        order = random.Random(number).sample(many, len(many))
        return await take(database, project_id, *(event("opened", of, number) for of in order))

    results = await asyncio.gather(*(call(number) for number in range(12)))
    assert sum(taken.new for taken in results) == 144


async def test_in_whatever_order_reports_come_the_end_is_the_same(database: Database, project_id: UUID) -> None:
    story: list[tuple[EventKind, int]] = [
        ("deferred", 1),
        ("delivered", 2),
        ("opened", 3),
        ("unsubscribed", 4),
        ("resubscribed", 5),
        ("clicked", 6),
        ("bounced", 7),
    ]
    ends = set()
    for seed in range(12):
        of = await delivery(database, project_id)
        for kind, minutes in random.Random(seed).sample(story, len(story)):
            await take(database, project_id, event(kind, of, minutes))
        status, fate, kinds, reasons = await state(database, project_id, of)
        ends.add((status, fate, *kinds, *reasons))
    assert len(ends) == 1, ends
    assert ends.pop()[1] == "bounced"


async def test_an_opt_in_undoes_an_earlier_opt_out_and_nothing_else(database: Database, project_id: UUID) -> None:
    out, dead = [await delivery(database, project_id) for _ in range(2)]
    await take(database, project_id, event("resubscribed", out, 5), event("unsubscribed", out, 4))
    assert (await state(database, project_id, out))[3] == []
    await take(database, project_id, event("unsubscribed", out, 6))
    assert (await state(database, project_id, out))[3] == ["unsubscribed"]
    await take(database, project_id, event("bounced", dead, 1), event("resubscribed", dead, 5))
    assert (await state(database, project_id, dead))[3] == ["The address "]


async def test_who_is_named_as_they_typed_themselves_is_left_alone_where_mails_go(
    database: Database, project_id: UUID
) -> None:
    of = await delivery(database, project_id)
    said = {"recipient": f"{of}@Bücher.example"}
    await take(database, project_id, event("unsubscribed", of, 1, **said))
    listed = select(Suppression.reason).where(Suppression.recipient == f"{of}@xn--bcher-kva.example")
    async with database.transaction(project_id) as tx:
        assert await tx.scalar(listed) == "unsubscribed"
    await take(database, project_id, event("resubscribed", of, 2, **said))
    async with database.transaction(project_id) as tx:
        assert await tx.scalar(listed) is None


@pytest.mark.parametrize(
    ("kind", "status"), [("delivered", "accepted"), ("opened", "accepted"), ("rejected", "rejected")]
)
async def test_a_report_settles_what_nobody_knew(
    database: Database, project_id: UUID, kind: EventKind, status: str
) -> None:
    of = await delivery(database, project_id, "unknown", provider_id=None)
    await take(database, project_id, event(kind, of, provider_id="p-9", detail="why"))
    async with database.transaction(project_id) as tx:
        row = await tx.get_one(Delivery, (project_id, of))
        lines = list(await tx.scalars(select(RunEvent.what).where(RunEvent.run_id == row.run_id)))
    assert (row.status, row.provider_id, lines) == (status, "p-9", ["settled"])


async def test_a_report_that_overtakes_the_answer_leaves_the_delivery_to_its_worker(
    database: Database, project_id: UUID
) -> None:
    of = await delivery(database, project_id, "intent", provider_id=None)
    await take(database, project_id, event("delivered", of))
    assert (await state(database, project_id, of))[:2] == ("intent", "delivered")


async def test_a_report_finds_its_delivery_by_the_providers_name_where_no_key_came_back(
    database: Database, project_id: UUID
) -> None:
    of = await delivery(database, project_id)
    taken = await take(database, project_id, event("delivered", of, key=None, provider_id=f"p-{of}"))
    assert taken == Taken(new=1)
    assert (await state(database, project_id, of))[1] == "delivered"


async def test_one_channel_says_nothing_of_anothers_deliveries(database: Database, project_id: UUID) -> None:
    of = await delivery(database, project_id)
    taken = await take(database, project_id, event("complained", of, recipient=None), channel=uuid4())
    assert taken == Taken(new=1, stray=1)
    assert await state(database, project_id, of) == ("accepted", None, [], [])
    for odd in ("not a uuid", str(uuid4()), "\0"):
        assert (await take(database, project_id, event("opened", of, id=f"x{odd!r}", key=odd))).stray == 1


async def test_old_reports_are_forgotten_and_what_they_said_stays(database: Database, project_id: UUID) -> None:
    of = await delivery(database, project_id)
    await take(database, project_id, event("delivered", of))
    async with database.transaction(project_id) as tx:
        await forget_old_reports(tx, project_id, NOW + REMEMBERED + timedelta(seconds=1))
        assert list(await tx.scalars(select(HeardProviderEvent))) == []
    assert (await take(database, project_id, event("delivered", of))).new == 1
    assert (await state(database, project_id, of))[2] == ["delivered"]


@given(st.permutations(KINDS))
def test_the_fate_does_not_depend_on_the_order(kinds: list[str]) -> None:
    fate = None
    for kind in kinds:
        fate = fate_after(fate, kind)
    assert fate == "complained"
