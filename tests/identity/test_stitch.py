"""Stitching in a real database: idempotent, whatever the order, whoever else does it at the same time."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from adapters.postgres.engine import Database
from insights.identity import closure
from insights.identity.links import Kind, Link, Node, links_said, visitor_node
from insights.identity.people import MOST_SAID_BY
from insights.identity.stitch import Stitched, stitch
from insights.identity.together import person_of
from insights.models import IdentityLink, Person

START = datetime(2026, 11, 1, tzinfo=UTC)


def said(device: UUID, minute: int, **props: str) -> list[Link]:
    return links_said(device, props, at=START + timedelta(minutes=minute), event_id=UUID(int=minute), session_id=None)


async def say(database: Database, project_id: UUID, links: Sequence[Link]) -> Stitched:
    async with database.transaction(project_id) as tx:
        return await stitch(tx, project_id, links)


async def people(database: Database, project_id: UUID) -> dict[UUID, UUID]:
    async with database.transaction(project_id) as tx:
        return {row.visitor_id: row.person_id for row in await tx.scalars(select(Person))}


async def refused(database: Database, project_id: UUID) -> list[tuple[str, str, str, list[str] | None]]:
    async with database.transaction(project_id) as tx:
        rows = await tx.scalars(select(IdentityLink).where(IdentityLink.refused.is_not(None)))
        return sorted((row.subject, row.name, str(row.refused), row.refused_users) for row in rows)


async def test_a_login_on_a_second_device_makes_one_person_and_saying_it_again_changes_nothing(
    database: Database, project_id: UUID
) -> None:
    laptop, phone = uuid4(), uuid4()
    assert await say(database, project_id, said(laptop, 1, user_id="ada")) == Stitched()
    assert await people(database, project_id) == {}
    joined = await say(database, project_id, said(phone, 2, user_id="ada"))
    assert joined.changed == {laptop, phone}
    assert joined.joined == (tuple(sorted((laptop, phone))),)
    assert await people(database, project_id) == {laptop: laptop, phone: laptop}
    for again in (said(phone, 2, user_id="ada"), said(phone, 3, user_id="ada"), said(laptop, 4, user_id="ada")):
        assert await say(database, project_id, again) == Stitched()
    async with database.transaction(project_id) as tx:
        assert await person_of(tx, project_id, phone) == tuple(sorted((laptop, phone)))
        assert len((await tx.scalars(select(IdentityLink))).all()) == 2


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
async def test_two_devices_identified_in_any_order_reach_the_same_person(
    database: Database, project_id: UUID, order: tuple[int, ...]
) -> None:
    laptop, phone = UUID(int=1), UUID(int=2)
    steps = [
        said(laptop, 1, email="ada@example.org"),
        said(phone, 2, user_id="ada"),
        said(phone, 3, email="ADA@example.org", user_id="ada"),
        said(laptop, 4, user_id="bob"),
    ]
    for index in order:
        await say(database, project_id, steps[index])
    # A login is stronger than an address: the laptop is Bob's, whenever Ada wrote her address there.
    assert await people(database, project_id) == {}
    assert await refused(database, project_id) == [(str(laptop), "ada@example.org", "two_users", ["bob", "ada"])]


async def test_a_stronger_link_that_comes_later_takes_a_visitor_out_again(database: Database, project_id: UUID) -> None:
    laptop, phone = uuid4(), uuid4()
    await say(database, project_id, [*said(laptop, 1, email="a@example.org"), *said(phone, 2, email="a@example.org")])
    assert len(await people(database, project_id)) == 2
    await say(database, project_id, said(phone, 3, user_id="ada", email="a@example.org"))
    assert len(await people(database, project_id)) == 2
    out = await say(database, project_id, said(laptop, 4, user_id="bob"))
    assert out.changed == {laptop, phone}
    assert out.joined == ()
    assert await people(database, project_id) == {}


async def test_people_of_other_projects_are_other_people(database: Database, project_id: UUID) -> None:
    elsewhere = uuid4()
    await say(database, project_id, said(uuid4(), 1, user_id="ada"))
    await say(database, elsewhere, said(uuid4(), 1, user_id="ada"))
    assert await people(database, project_id) == {}


async def test_an_address_becomes_nobodys_when_too_many_go_by_it(database: Database, project_id: UUID) -> None:
    devices = [uuid4() for _ in range(MOST_SAID_BY + 1)]
    links = [link for n, device in enumerate(devices) for link in said(device, n, email="info@example.org")]
    await say(database, project_id, links[:-1])
    assert len(await people(database, project_id)) == MOST_SAID_BY
    await say(database, project_id, links[-1:])
    assert await people(database, project_id) == {}
    assert {row[2] for row in await refused(database, project_id)} == {"shared"}
    await say(database, project_id, said(uuid4(), 999, email="info@example.org"))
    assert await people(database, project_id) == {}


async def test_a_link_to_more_than_any_person_has_is_refused_alone(
    database: Database, project_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closure, "MOST_LINKS", 20)
    devices = [uuid4() for _ in range(21)]
    for n, device in enumerate(devices):
        await say(database, project_id, said(device, n, user_id="ada"))
    assert [row[2] for row in await refused(database, project_id)] == ["too_many"]
    late, other, friend = uuid4(), uuid4(), uuid4()
    mixed = [*said(late, 50, user_id="ada"), *said(other, 51, user_id="bob"), *said(friend, 52, user_id="bob")]
    await say(database, project_id, mixed)
    assert {other, friend} <= set(await people(database, project_id))
    assert late not in await people(database, project_id)


async def test_what_is_joined_while_one_waits_is_held_as_well(database: Database, project_id: UUID) -> None:
    laptop, phone = uuid4(), uuid4()
    mine = said(phone, 2, email="a@example.org")
    async with database.transaction(project_id) as first:
        await stitch(first, project_id, said(laptop, 1, user_id="ada", email="a@example.org"))
        # Begins by reading, when Ada's address leads nowhere yet; then waits for its lock.
        async with database.transaction(project_id) as second, asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(stitch(second, project_id, mine))
            while not await _waits(database):
                assert not waiting.done()
            await first.commit()
            await waiting
            async with database.transaction(project_id) as third:
                free = [
                    await third.scalar(_TRY, {"name": f"{project_id}/{stripe}"})
                    for stripe in closure.stripes([visitor_node(laptop), Node(Kind.USER_ID, "ada")])
                ]
            assert not any(free)
    assert set(await people(database, project_id)) == {laptop, phone}


_TRY = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 3))")
_WAITING = text(
    "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


async def _waits(database: Database) -> bool:
    async with database.transaction(None) as tx:
        return bool(await tx.scalar(_WAITING))


async def test_many_at_once_in_opposite_orders_agree_with_one_after_the_other(database: Database) -> None:
    chance = random.Random(7)
    devices = [UUID(int=n) for n in range(1, 13)]
    steps = []
    for minute in range(40):
        props = {
            "user_id": chance.choice(["ada", "bob", "cy", ""]),
            "email": chance.choice([f"{n}@example.org" for n in range(5)] + [""]),
            "phone": chance.choice(["+4915112345", "+4915154321", "", ""]),
        }
        steps.append(said(chance.choice(devices), minute, **props))
    one_by_one, all_at_once = uuid4(), uuid4()
    for step in steps:
        await say(database, one_by_one, step)

    async def worker(mine: list[list[Link]]) -> None:
        for start in range(0, len(mine), 3):
            await say(database, all_at_once, [link for step in mine[start : start + 3] for link in step])

    mixed = [sorted(steps, key=lambda _: chance.random()) for _ in range(6)]
    await asyncio.gather(*(worker(mine) for mine in mixed))
    assert await people(database, all_at_once) == await people(database, one_by_one) != {}
    assert await refused(database, all_at_once) == await refused(database, one_by_one) != []
