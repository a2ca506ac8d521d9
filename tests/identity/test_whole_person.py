"""What is known of a person wherever they are: earlier visits, orders, consent, an address to write to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from adapters.postgres.engine import Database
from insights.decisions.plan import Plan
from insights.events.flush import SessionTimes
from insights.events.record import Recorder
from insights.identity.contact import Contact, read_contact
from insights.identity.together import person_of
from insights.models import IdentityLink, Person
from insights.privacy.erase import erase_visitors
from insights.profiles.profile import Profile
from insights.profiles.rebuild import rebuild
from insights.recovery.audience import VisitorFacts
from insights.timeline.read import read_timeline
from tests.identity.devices import START, Device
from tests.profiles.visit import Visit

DAY = 86_400_000


@pytest.fixture
async def recorder(database: Database) -> AsyncIterator[Recorder]:
    recorder = Recorder(database, times=SessionTimes(), max_queued=10_000)
    recorder.start()
    yield recorder
    await recorder.stop()


async def profile_of(database: Database, device: Device, **options: Any) -> Profile:
    async with database.transaction(device.project_id) as tx:
        return await rebuild(tx, device.project_id, device.id, **options)


async def contact_of(database: Database, device: Device) -> Contact:
    async with database.transaction(device.project_id) as tx:
        found = await read_contact(tx, device.project_id, device.id)
    assert found is not None
    return found


async def test_visits_on_the_other_device_are_earlier_visits(
    database: Database, recorder: Recorder, project_id: UUID
) -> None:
    laptop = Device(recorder, project_id)
    phone = Device(recorder, project_id, at_ms=START + DAY)
    await laptop.view("/shoes")
    await laptop.send(("cart_added", {"product_id": "p", "category": "shoes", "price_minor": 100, "currency": "EUR"}))
    await laptop.identify(email="ada@example.org")
    await phone.view("/hats")
    alone = await profile_of(database, phone)
    assert (alone.sessions, alone.carts_left, alone.has_email) == (1, 0, False)
    await phone.identify(email="ada@example.org")
    both = await profile_of(database, phone)
    assert (both.sessions, both.carts_left, both.has_email) == (2, 1, True)
    assert both.session == phone.session.int
    assert both.page_path == "/hats"
    assert both.cart_items == 0
    async with database.transaction(project_id) as tx:
        timeline = await read_timeline(tx, project_id, phone.session)
        assert timeline.prior.sessions == 1
        assert {event.id for event in timeline.events}.isdisjoint(
            {event.id for event in (await read_timeline(tx, project_id, laptop.session)).events}
        )


async def test_the_visit_at_hand_stays_the_current_one_while_another_device_goes_on(
    database: Database, recorder: Recorder, project_id: UUID
) -> None:
    laptop = Device(recorder, project_id)
    phone = Device(recorder, project_id, at_ms=START + 60_000)
    await laptop.view("/shoes")
    await laptop.identify(user_id="ada")
    await phone.identify(user_id="ada")
    await phone.buy("o-1")
    profile = await profile_of(database, laptop)
    assert profile.session == laptop.session.int
    assert (profile.sessions, profile.purchases, profile.bought) == (2, 1, False)
    laptop.come_back(START + DAY)
    await laptop.view("/shoes")
    later = await profile_of(database, laptop)
    assert (later.sessions, later.purchases) == (3, 1)


async def test_visits_beyond_those_that_are_read_count_on_every_device(
    database: Database, recorder: Recorder, project_id: UUID
) -> None:
    laptop, phone = Device(recorder, project_id), Device(recorder, project_id, at_ms=START + DAY // 2)
    for day in range(1, 4):
        for device in (laptop, phone):
            await device.view()
            await device.identify(user_id="ada")
            device.come_back(device.at_ms + day * DAY)
    await laptop.view()
    assert (await profile_of(database, laptop)).sessions == 7
    assert (await profile_of(database, laptop, limit_sessions=2)).sessions == 7


async def test_who_was_never_joined_to_anybody_is_read_as_before(
    database: Database, recorder: Recorder, project_id: UUID
) -> None:
    laptop, phone = Device(recorder, project_id), Device(recorder, project_id)
    await laptop.identify(user_id="ada", email="ada@example.org")
    await phone.identify(user_id="bob")
    assert (await profile_of(database, phone)).sessions == 1
    assert (await contact_of(database, phone)).email is None


async def test_a_mail_goes_to_the_visits_own_address_and_else_to_the_persons(
    database: Database, recorder: Recorder, project_id: UUID
) -> None:
    laptop, phone, tablet = (Device(recorder, project_id, at_ms=START + n * DAY) for n in range(3))
    await laptop.identify(user_id="ada", email="old@example.org")
    await phone.identify(user_id="ada", email="new@example.org")
    await tablet.identify(user_id="ada")
    assert (await contact_of(database, laptop)).email == "old@example.org"
    assert (await contact_of(database, tablet)).email == "new@example.org"


async def test_a_no_on_the_phone_holds_on_the_laptop_and_a_cookie_banner_takes_nothing_back(
    database: Database, recorder: Recorder, project_id: UUID
) -> None:
    laptop, phone = Device(recorder, project_id), Device(recorder, project_id, at_ms=START + DAY)
    for device in (laptop, phone):
        await device.identify(user_id="ada")
    facts = VisitorFacts()

    async def may_mail(device: Device) -> bool:
        async with database.transaction(project_id) as tx:
            found = await facts.facts(tx, project_id, device.id)
        return bool(found["consent"]["email"])

    await laptop.send(("consent_changed", {"marketing": True, "analytics": True, "channels": ["email"]}))
    assert (await may_mail(laptop), await may_mail(phone)) == (True, True)
    await phone.send(("consent_changed", {"analytics": False}))
    assert await may_mail(phone)
    assert (await contact_of(database, laptop)).consent["analytics"] is True
    await phone.send(("consent_changed", {"marketing": False}))
    assert (await may_mail(laptop), await may_mail(phone)) == (False, False)
    assert (await profile_of(database, laptop)).marketing is False


async def test_who_is_held_out_is_held_out_on_every_device(
    database: Database, recorder: Recorder, project_id: UUID
) -> None:
    devices = [Device(recorder, project_id, at_ms=START + n) for n in range(3)]
    for device in devices:
        await device.identify(user_id="ada")
    plans = (Plan(salt=str(n).encode(), holdout=0.5) for n in range(1_000))
    half = next(plan for plan in plans if len({plan.holds_out(device.id) for device in devices}) == 2)
    answers = set()
    for device in devices:
        profile = await profile_of(database, device)
        assert profile.person == devices[0].id.bytes
        visit = Visit(at_ms=START + DAY, profile=profile)
        visit.product("moka", "brewers").add().wait(60).page("/").event("exit_intent")
        choice = visit.decide(plan=half)
        assert choice is not None
        answers.add(choice.learning.holdout)
    assert answers == {half.holds_out(devices[0].id)}


async def test_who_is_erased_leaves_no_link(database: Database, recorder: Recorder, project_id: UUID) -> None:
    laptop, phone, other = Device(recorder, project_id), Device(recorder, project_id), Device(recorder, project_id)
    await laptop.identify(user_id="ada", email="ada@example.org", phone="+49 171 12345")
    await laptop.identify(user_id="bob-at-the-same-browser")
    await phone.identify(user_id="ada")
    await other.identify(user_id="cy", email="cy@example.org")
    async with database.transaction(project_id) as tx:
        person = await person_of(tx, project_id, phone.id)
        assert set(person) == {laptop.id, phone.id}
        await erase_visitors(tx, project_id, person)
    async with database.transaction(project_id) as tx:
        left = {(link.subject, link.name) for link in await tx.scalars(select(IdentityLink))}
        assert left == {(str(other.id), "cy"), ("cy", "cy@example.org")}
        assert (await tx.scalars(select(Person))).all() == []
