"""Identifications and orders through the write path: what they do on the person's other devices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import func, select, text

from adapters.postgres.engine import Database
from flows.definition import FlowDefinition
from flows.models import Conversion, Delivery, FlowRun
from flows.ports import Trigger
from flows.starting import start_runs
from flows.store import publish
from insights.conditions.fields import FIELDS
from insights.events.flush import SessionTimes
from insights.events.people import same_visitor
from insights.events.record import Recorder
from insights.identity.together import hold_people, person_of
from insights.models import Event, IdentityLink, Person, Visitor
from insights.segments.knowledge import VisitorKnowledge
from tests.identity.devices import START, Device

NOW = datetime.fromtimestamp(START / 1000, UTC) + timedelta(minutes=5)


class People:
    """A project with two processes that record, and a flow that waits before it sends."""

    def __init__(self, database: Database, project_id: UUID) -> None:
        self.database = database
        self.project_id = project_id
        self.told: list[set[UUID]] = []
        self.recorders = [
            Recorder(database, times=SessionTimes(), max_queued=10_000, on_people_changed=self._hear) for _ in range(2)
        ]

    def _hear(self, project_id: UUID, visitors: Collection[UUID]) -> None:
        assert project_id == self.project_id
        self.told.append(set(visitors))

    def device(self, process: int = 0) -> Device:
        return Device(self.recorders[process], self.project_id)

    async def publish(self, name: str = "recover", **settings: Any) -> None:
        flow = {
            "name": name,
            "trigger": {"on": "insight"},
            "start": "a",
            "steps": {
                "a": {"do": "wait", "for": "PT1H", "next": "b"},
                "b": {"do": "send", "action": "send_email"},
            },
            "settings": settings,
        }
        async with self.database.transaction(self.project_id) as tx:
            await publish(tx, self.project_id, FlowDefinition.model_validate(flow), NOW, {"send_email"}, FIELDS)

    async def abandon(self, device: Device, *, after: timedelta = timedelta(0)) -> None:
        """As the closing of a session does."""
        at = datetime.fromtimestamp(device.at_ms / 1000, UTC) + after
        trigger = Trigger("insight", f"insight:{uuid4()}", f"session:{device.session}", device.id, at, {"insight": {}})
        async with self.database.transaction(self.project_id) as tx:
            people = await hold_people(tx, self.project_id, [device.id])
            await start_runs(tx, self.project_id, [trigger], NOW, VisitorKnowledge(), same_person=people)

    async def runs(self, device: Device) -> list[tuple[str, str | None]]:
        async with self.database.transaction(self.project_id) as tx:
            rows = await tx.execute(
                select(FlowRun.status, FlowRun.end_reason)
                .where(FlowRun.visitor_id == device.id)
                .order_by(FlowRun.triggered_at)
            )
            return [(row[0], row[1]) for row in rows]

    async def count(self, table: type[Any]) -> int:
        async with self.database.transaction(self.project_id) as tx:
            return (await tx.scalar(select(func.count()).select_from(table))) or 0


@pytest.fixture
async def people(database: Database, project_id: UUID) -> AsyncIterator[People]:
    people = People(database, project_id)
    for recorder in people.recorders:
        recorder.start()
    yield people
    for recorder in people.recorders:
        await recorder.stop()


async def test_an_order_on_the_phone_ends_what_was_started_for_the_laptop(people: People) -> None:
    await people.publish()
    laptop, phone, stranger = people.device(), people.device(1), people.device()
    for device in (laptop, phone):
        await device.identify(user_id="ada")
    await people.abandon(laptop)
    await people.abandon(stranger)
    await phone.buy("o-1")
    assert await people.runs(laptop) == [("cancelled", "converted: order o-1")]
    assert await people.runs(stranger) == [("waiting", None)]
    assert people.told[-1] == {laptop.id}


async def test_who_turns_out_to_have_bought_elsewhere_gets_nothing_more(people: People) -> None:
    await people.publish()
    laptop, phone = people.device(), people.device()
    await laptop.identify(email="ada@example.org")
    await people.abandon(laptop)
    phone.at_ms = laptop.at_ms + 60_000
    await phone.buy("o-2")
    assert await people.runs(laptop) == [("waiting", None)]
    await phone.identify(email="Ada@Example.org")
    assert await people.runs(laptop) == [("cancelled", "converted: order o-2")]
    assert people.told == [{laptop.id, phone.id}]


async def test_a_login_and_an_order_in_one_batch_reach_the_other_device(people: People) -> None:
    await people.publish()
    laptop, phone = people.device(), people.device()
    await laptop.identify(user_id="ada")
    await people.abandon(laptop)
    phone.at_ms = laptop.at_ms
    await phone.send(("purchased", {"order_id": "o-3"}), ("identified", {"user_id": "ada"}))
    assert await people.runs(laptop) == [("cancelled", "converted: order o-3")]


async def test_what_starts_after_the_order_on_another_device_is_over_at_once(people: People) -> None:
    await people.publish()
    laptop, phone = people.device(), people.device()
    for device in (laptop, phone):
        await device.identify(user_id="ada")
    phone.at_ms += 60_000
    await phone.buy("o-4")
    await people.abandon(laptop)
    assert await people.runs(laptop) == [("cancelled", "converted")]


async def test_one_person_is_in_a_flow_once(people: People) -> None:
    await people.publish()
    laptop, phone, tablet = people.device(), people.device(), people.device()
    await laptop.identify(user_id="ada")
    await people.abandon(laptop)
    await people.abandon(phone, after=timedelta(minutes=1))
    assert await people.runs(phone) == [("waiting", None)]
    await phone.identify(user_id="ada")
    assert await people.runs(laptop) == [("waiting", None)]
    assert await people.runs(phone) == [("cancelled", "reentry: on another device")]
    await tablet.identify(user_id="ada")
    await people.abandon(tablet)
    assert await people.runs(tablet) == [("cancelled", "reentry")]


@pytest.mark.parametrize("first_named", [0, 1])
async def test_who_turns_out_to_be_one_person_keeps_all_runs_of_a_flow_that_always_begins_anew(
    people: People, first_named: int
) -> None:
    await people.publish(reenter="always", exit_on_conversion=False)
    laptop, phone = people.device(), people.device()
    await people.abandon(laptop)
    laptop.come_back(laptop.at_ms + 60_000)
    await people.abandon(laptop)
    await people.abandon(phone, after=timedelta(minutes=2))
    for device in (laptop, phone) if first_named == 0 else (phone, laptop):
        await device.identify(user_id="ada")
    assert await people.runs(laptop) == [("waiting", None), ("waiting", None)]
    assert await people.runs(phone) == [("waiting", None)]


@pytest.mark.parametrize(
    ("settings", "since_reached", "then"),
    [
        ({"reenter": "once"}, timedelta(days=90), ("cancelled", "reentry: on another device")),
        (
            {"reentry": "P7D"},
            timedelta(days=7) - timedelta(microseconds=1),
            ("cancelled", "reentry: on another device"),
        ),
        ({"reentry": "P7D"}, timedelta(days=7), ("waiting", None)),
        ({"reenter": "always"}, timedelta(minutes=1), ("waiting", None)),
    ],
)
async def test_who_was_reached_on_another_device_comes_in_again_no_sooner_than_on_one(
    people: People, settings: dict[str, Any], since_reached: timedelta, then: tuple[str, str | None]
) -> None:
    await people.publish(**settings)
    laptop, phone = people.device(), people.device()
    await laptop.identify(user_id="ada")
    await people.abandon(laptop)
    async with people.database.transaction(people.project_id) as tx:
        run = (await tx.scalars(select(FlowRun).where(FlowRun.visitor_id == laptop.id))).one()
        run.status, run.due_at, run.started_at = "done", None, NOW - since_reached
        tx.add(_reached_by(run))
    await people.abandon(phone, after=timedelta(minutes=1))
    assert await people.runs(phone) == [("waiting", None)]
    await phone.identify(user_id="ada")
    assert await people.runs(phone) == [then]


def _reached_by(run: FlowRun) -> Delivery:
    return Delivery(
        project_id=run.project_id,
        id=uuid4(),
        run_id=run.id,
        step="b",
        action="send_email",
        visitor_id=run.visitor_id,
        channel="email",
        recipient="ada@example.org",
        dedupe_key="of the laptop",
        content={},
        marketing=True,
        status="accepted",
        attempts=1,
        created_at=run.started_at,
    )


async def test_a_repeated_batch_joins_and_counts_once(people: People) -> None:
    laptop, phone = people.device(), people.device()
    await laptop.identify(user_id="ada")
    batch = (("identified", {"user_id": "ada"}), ("purchased", {"order_id": "o-5"}))
    assert await phone.send(*batch) == 2
    assert await phone.again() == 0
    assert (await people.count(Person), await people.count(Conversion), await people.count(IdentityLink)) == (2, 1, 2)
    assert await people.count(Event) == 3


async def test_no_event_moves_when_people_are_joined_and_parted(people: People, database: Database) -> None:
    laptop, phone = people.device(), people.device()
    await laptop.view("/shoes")
    await phone.view("/hats")
    await laptop.identify(email="ada@example.org")
    await phone.identify(email="ada@example.org")
    async with database.transaction(people.project_id) as tx:
        assert await person_of(tx, people.project_id, phone.id) == tuple(sorted((laptop.id, phone.id)))
    await phone.identify(user_id="ada", email="ada@example.org")
    await laptop.identify(user_id="bob")
    async with database.transaction(people.project_id) as tx:
        assert await person_of(tx, people.project_id, phone.id) == (phone.id,)
        rows = await tx.execute(select(Event.visitor_id, func.count()).group_by(Event.visitor_id))
        assert {row[0]: row[1] for row in rows} == {laptop.id: 3, phone.id: 3}


async def test_two_processes_that_hear_of_the_same_people_at_once_lose_nothing(people: People) -> None:
    await people.publish()
    crowds = [[people.device(number % 2) for number in range(4)] for _ in range(12)]
    for crowd in crowds:
        await people.abandon(crowd[0])

    async def live(device: Device, name: str, chain: int) -> None:
        # Each tells a part; only all parts together make one person.
        await device.view()
        await device.identify(user_id=name, phone=f"+4917100{chain:02}00")
        await device.buy(f"{name}-{device.id}")
        await device.identify(user_id=name, email=f"{name}@example.org")

    await asyncio.gather(*(live(device, f"customer-{n}", n) for n, crowd in enumerate(crowds) for device in crowd))
    async with people.database.transaction(people.project_id) as tx:
        for crowd in crowds:
            together = await person_of(tx, people.project_id, crowd[0].id)
            assert together == tuple(sorted(device.id for device in crowd))
    for crowd in crowds:
        ((status, reason),) = await people.runs(crowd[0])
        assert status == "cancelled"
        assert reason is not None
        assert reason.startswith("converted: order ")
    assert await people.count(Conversion) == 48
    assert await people.count(Event) == 48 * 4


async def test_two_ids_that_are_said_to_be_one_visitor_are_one_person_unless_they_are_two_customers(
    people: People, database: Database
) -> None:
    await people.publish()
    old, new = people.device(), people.device()
    await old.view()
    await people.abandon(old)
    new.at_ms = old.at_ms
    await new.buy("o-8")

    async def say(one: Device, other: Device) -> bool:
        return await same_visitor(database, people.project_id, one.id, other.id, at=NOW, event_id=UUID(int=8), now=NOW)

    assert [await say(old, new), await say(new, old), await say(new, new)] == [True, True, True]
    assert await people.runs(old) == [("cancelled", "converted: order o-8")]
    ada, bob = people.device(), people.device()
    await ada.identify(user_id="ada")
    await bob.identify(user_id="bob")
    assert not await say(ada, bob)
    async with database.transaction(people.project_id) as tx:
        refused = (await tx.scalars(select(IdentityLink).where(IdentityLink.refused.is_not(None)))).one()
        assert refused.name_kind == "visitor"
        assert sorted(refused.refused_users or ()) == ["ada", "bob"]


async def test_who_is_held_is_held_with_all_their_devices(people: People, database: Database) -> None:
    laptop, phone, stranger = people.device(), people.device(), people.device()
    for device in (laptop, phone):
        await device.identify(user_id="ada")
    async with database.transaction(people.project_id) as tx:
        assert await hold_people(tx, people.project_id, [phone.id]) == {phone.id: tuple(sorted((laptop.id, phone.id)))}
        async with database.transaction(people.project_id) as other:
            attempt = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:visitor, 0))")
            free = [await other.scalar(attempt, {"visitor": str(one.id)}) for one in (laptop, phone, stranger)]
    assert free == [False, False, True]


async def test_copies_of_a_profile_in_other_processes_are_found_out_too_old(people: People, database: Database) -> None:
    laptop, phone, stranger = people.device(), people.device(1), people.device(1)
    for device in (laptop, phone, stranger):
        await device.view()

    async def versions() -> list[int]:
        async with database.transaction(people.project_id) as tx:
            rows = (await tx.execute(select(Visitor.id, Visitor.version))).all()
        return [{row[0]: row[1] for row in rows}[device.id] for device in (laptop, phone, stranger)]

    await laptop.identify(user_id="ada")
    assert await versions() == [2, 1, 1]
    await phone.identify(user_id="ada")
    assert await versions() == [3, 3, 1]
    await phone.buy("o-7")
    assert await versions() == [4, 4, 1]


async def test_a_flush_without_people_in_it_asks_nothing_of_them(people: People) -> None:
    device = people.device()
    statements: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    engine = people.database.engine.sync_engine
    sqlalchemy_event.listen(engine, "before_cursor_execute", hear)
    try:
        await device.view()
        assert statements == []
        await device.buy("o-6")
        assert not any("identity_link" in statement for statement in statements)
    finally:
        sqlalchemy_event.remove(engine, "before_cursor_execute", hear)
