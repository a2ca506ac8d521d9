"""The gate's policy: quiet hours, caps, priority, holdout and a provider's rate; every no is a line with its reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text, update

from adapters.channels.contract import Rate, Retry
from adapters.postgres.engine import Database, DatabaseUrls
from adapters.postgres.personal import Ring
from flows.chance import choose, held_out
from flows.definition import Cap, QuietHours
from flows.models import Flow, Suppression
from flows.policy import Sent, full, loud_at
from flows.store import RunView
from tests.flows.world import World, plan, words

MAIL: dict[str, Any] = {"a": {"do": "send", "action": "send_email", "params": {"consent": True}}}


@pytest.fixture
async def world(database: Database, project_id: UUID) -> AsyncIterator[World]:
    yield World(database, project_id)


async def salt_of_held(world: World) -> UUID | None:
    """What the draw of the flow called held is keyed with."""
    async with world.database.transaction(world.project_id) as tx:
        return await tx.scalar(select(Flow.salt).where(Flow.name == "held"))


def reasons(run: RunView) -> list[str]:
    return [line.detail.partition(":")[0] for line in run.history if line.what in ("skipped", "postponed")]


async def policy(world: World, **columns: str) -> None:
    async with world.database.transaction(world.project_id) as tx:
        await tx.execute(
            text(
                "INSERT INTO flow_policy VALUES (:project, CAST(:caps AS jsonb), CAST(:quiet AS jsonb), now()) "
                "ON CONFLICT (project_id) DO UPDATE SET caps = excluded.caps, quiet_hours = excluded.quiet_hours"
            ),
            {"project": world.project_id, "caps": columns.get("caps", "[]"), "quiet": columns.get("quiet")},
        )


async def test_at_night_a_message_waits_for_the_morning_where_the_visitor_is(world: World) -> None:
    quiet = {"from": "21:00", "to": "08:00"}
    await world.publish(plan(MAIL, quiet_hours=quiet, max_lateness="PT1H"))
    world.consents.zone = "Asia/Tokyo"  # noon in London is nine in the evening there
    ada = await world.start()
    await world.drain()
    run = await world.only_run(ada)
    assert reasons(run) == ["quiet_hours"]
    assert run.due_at == datetime(2026, 11, 21, 23, tzinfo=UTC)
    assert world.provider.reached == []
    world.clock.now = datetime(2026, 11, 21, 22, 59, tzinfo=UTC)
    await world.drain()
    assert world.provider.reached == []
    # It is not late in the morning: nobody was to be written to before.
    world.clock.now = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    await world.drain()
    assert len(world.provider.reached) == 1
    assert (await world.only_run(ada)).status == "done"


async def test_a_purchase_in_the_night_keeps_the_morning_quiet(world: World) -> None:
    await world.publish(plan(MAIL, quiet_hours={"from": "11:00", "to": "18:00"}))
    ada = await world.start()
    await world.drain()
    await world.convert(ada)
    await world.later(days=1)
    assert world.provider.reached == []
    assert (await world.only_run(ada)).status == "cancelled"


async def test_quiet_hours_of_the_project_hold_for_every_flow_and_not_for_tickets(world: World) -> None:
    await policy(world, quiet='{"from": "11:00", "to": "18:00"}')
    await world.publish(plan({"a": MAIL["a"] | {"next": "b"}, "b": {"do": "send", "action": "create_ticket"}}))
    await world.publish(plan({"a": {"do": "send", "action": "create_ticket"}}, name="ticket"))
    ada = await world.start()
    await world.drain()
    assert sorted(words(run)[-1] for run in await world.runs(ada)) == ["ended", "postponed"]


async def test_a_cap_holds_over_flows_and_devices_and_opens_again_with_time(world: World) -> None:
    await policy(world, caps='[{"channel": "email", "most": 2, "within": "P1D"}]')
    for name in ("one", "two", "three"):
        await world.publish(plan(MAIL, name=name, reenter="always"))
    ada, phone = uuid4(), uuid4()
    world.consents.person = [ada, phone]
    await world.start(ada)
    await world.drain()
    found = await world.runs(ada)
    assert sorted(reasons(run) for run in found) == [[], [], ["capped"]]
    await world.start(phone)
    await world.drain()
    assert [reasons(run) for run in await world.runs(phone)] == [["capped"]] * 3
    assert len(world.provider.reached) == 2
    world.clock.now += timedelta(days=1, seconds=1)
    await world.start(ada)
    await world.drain()
    assert len(world.provider.reached) == 4


async def test_fifty_workers_at_once_send_exactly_as_many_as_the_cap_allows(world: World) -> None:
    await world.publish(plan(MAIL, reenter="always", caps=[{"most": 7, "within": "P1D"}]))
    devices = [uuid4() for _ in range(50)]
    world.consents.person = devices
    for one in devices:
        await world.start(one)
    runners = [world.runner(batch=1) for _ in range(50)]
    await asyncio.gather(*(runner.run_due() for runner in runners))
    await world.drain()
    assert len(world.provider.reached) == 7
    ended = [run for one in devices for run in await world.runs(one)]
    assert sum(reasons(run) == ["capped"] for run in ended) == 43


async def test_the_last_place_under_a_cap_is_kept_for_the_flow_of_higher_priority(world: World) -> None:
    await world.publish(plan(MAIL, name="news", priority=10, caps=[{"most": 1}]))
    late = {"a": {"do": "wait", "for": "PT2H", "next": "b"}, "b": MAIL["a"]}
    await world.publish(plan(late, name="cart", priority=90, caps=[{"most": 1}]))
    ada = await world.start()
    await world.drain()
    by_flow = {run.flow: run for run in await world.runs(ada)}
    assert reasons(by_flow["news"]) == ["outranked"]
    await world.later(hours=2)
    by_flow = {run.flow: run for run in await world.runs(ada)}
    assert "accepted" in words(by_flow["cart"])
    assert len(world.provider.reached) == 1


@pytest.mark.parametrize("of_before", [False, True])
async def test_who_is_in_a_flows_holdout_gets_nothing_of_it_and_all_of_another(world: World, of_before: bool) -> None:
    await world.publish(plan(MAIL, name="held", holdout=0.5))
    if of_before:
        # Who was in an arm before flows had a secret of their own stays in it.
        async with world.database.transaction(world.project_id) as tx:
            await tx.execute(update(Flow).values(salt=None))
    salt = await salt_of_held(world)
    await world.publish(plan(MAIL, name="open"))
    visitors = [await world.start() for _ in range(20)]
    await world.drain()
    for one in visitors:
        by_flow = {run.flow: run for run in await world.runs(one)}
        assert reasons(by_flow["open"]) == []
        assert reasons(by_flow["held"]) == (["flow_holdout"] if held_out("held", salt, 0.5, one) else [])
    arms = [held_out("held", salt, 0.5, one) for one in visitors]
    assert 0 < sum(arms) < 20
    # Visitors choose their ids, and may know the flow's name.
    assert (arms == [held_out("held", None, 0.5, one) for one in visitors]) == of_before


async def test_devices_that_turn_out_to_be_one_person_stay_in_the_arm_of_the_first_one(world: World) -> None:
    await world.publish(plan(MAIL, name="held", holdout=0.5, reenter="always"))
    salt = await salt_of_held(world)
    ids = iter(sorted(uuid4() for _ in range(400)))
    pairs = [(small, large) for small, large in zip(ids, ids, strict=True)]
    arms = {one: held_out("held", salt, 0.5, one) for pair in pairs for one in pair}
    differing = [(small, large) for small, large in pairs if arms[small] != arms[large]][:12]
    assert len(differing) == 12
    for small, large in differing:
        # The one with the larger id is met first; the other joins later, and is the smallest of the person.
        await world.start(large)
        await world.drain()
        world.consents.person = [small, large]
        await world.later(minutes=5)
        await world.start(small)
        await world.drain()
        told = {tuple(reasons(run)) for one in (small, large) for run in await world.runs(one)}
        assert told == {("flow_holdout",) if arms[large] else ()}, (small, large)


async def test_a_provider_that_takes_two_a_second_gets_no_more_and_nobody_is_lost(world: World) -> None:
    world.provider.rate = Rate(per_second=0.01, burst=2)
    await world.publish(plan(MAIL))
    visitors = [await world.start() for _ in range(5)]
    await world.drain()
    assert len(world.provider.reached) == 2
    waiting = [run for one in visitors for run in await world.runs(one) if run.status == "waiting"]
    assert [reasons(run) for run in waiting] == [["rate"]] * 3
    # Each was told a time of its own.
    due = sorted(run.due_at for run in waiting if run.due_at is not None)
    assert all(later - earlier > timedelta(seconds=50) for earlier, later in pairwise(due))
    async with world.database.transaction(world.project_id) as tx:
        await tx.execute(text("UPDATE rate_bucket SET at = at - interval '1 day'"))
    await world.later(hours=1)
    await world.later(hours=1)
    assert len(world.provider.reached) == 4
    # What waits for a provider gets late meanwhile.
    await world.later(days=3)
    told = [reason for one in visitors for run in await world.runs(one) for reason in reasons(run)]
    assert told.count("too_late") == 1


HOURS = st.tuples(st.times(), st.times()).map(lambda two: [one.replace(second=0, microsecond=0) for one in two])


@settings(deadline=None)
@given(st.integers(0, 525_600), st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns"]), HOURS, HOURS)
def test_when_two_rules_of_quiet_hours_hold_a_message_goes_out_outside_of_both(
    minutes: int, zone: str, one: list[time], other: list[time]
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    rules = [
        QuietHours.model_validate({"from": begin, "to": end, "zone": name})
        for (begin, end), name in ((one, zone), (other, "UTC"))
        if begin != end
    ]
    at = loud_at(now, "email", None, rules)
    assert at is None or at > now
    # A channel that disturbs nobody waits for nothing.
    assert loud_at(now, "onsite", None, rules) is None
    if len(rules) == 1 and at is not None:
        assert loud_at(at, "email", None, rules) is None


def test_a_cap_counts_what_lies_within_it_on_its_channel() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    day = Cap(channel="email", most=2)
    sent = [Sent("email", now - timedelta(hours=25)), Sent("sms", now), Sent("email", now)]
    assert full([day], sent, {}, now) is None
    assert full([Cap(most=2)], sent, {}, now) is not None
    held = full([day], sent, {"email": [now + timedelta(hours=1)]}, now)
    assert held is not None
    assert held.outranked
    assert held.words() == "at most 2 messages by email within 1 day"
    assert full([day], sent, {"email": [now + timedelta(hours=30)]}, now) is None


def test_a_split_goes_by_its_weights_and_the_same_way_every_time() -> None:
    visitors = [uuid4() for _ in range(4000)]
    ways = [choose([1, 3], "f/odds", one) for one in visitors]
    assert 0.70 < sum(ways) / len(ways) < 0.80
    assert ways == [choose([1, 3], "f/odds", one) for one in visitors]
    other = [choose([1, 3], "f/other", one) for one in visitors]
    assert ways != other


async def test_who_is_suppressed_or_capped_is_so_where_addresses_are_sealed(
    database_urls: DatabaseUrls, project_id: UUID
) -> None:
    sealed = Database(database_urls, ring=Ring([b"k" * 32]))
    try:
        world = World(sealed, project_id)
        await world.publish(plan(MAIL, caps=[{"channel": "email", "most": 1}]))
        # One mailbox, whoever they say they are.
        first, second = await world.start(), await world.start()
        await world.drain()
        assert len(world.provider.reached) == 1
        assert ["capped"] in [reasons(await world.only_run(one)) for one in (first, second)]
        async with sealed.transaction(project_id) as tx:
            tx.add(
                Suppression(
                    project_id=project_id, channel="email", recipient="ada@example.org", reason="x", at=world.clock()
                )
            )
        third = await world.start()
        await world.drain()
        assert reasons(await world.only_run(third)) == ["suppressed"]
    finally:
        await sealed.close()


async def test_a_message_that_is_tried_again_is_held_to_the_caps_as_well(world: World) -> None:
    world.provider.script = [Retry("busy")]
    cap = [{"most": 1, "within": "P1D"}]
    await world.publish(plan(MAIL, name="one", caps=cap))
    ada = await world.start()
    await world.drain()
    # While one waits for its provider, the other takes the place.
    await world.publish(plan(MAIL, name="two", caps=cap))
    await world.start(ada)
    await world.drain()
    await world.later(hours=1)
    by_flow = {run.flow: run for run in await world.runs(ada) if run.deliveries}
    assert {name: reasons(run) for name, run in by_flow.items()} == {"one": ["capped"], "two": []}
    (given_up,) = by_flow["one"].deliveries
    assert given_up.status == "rejected"
    assert given_up.error == "Not tried again: They got at most 1 message within 1 day already."


async def test_a_message_counts_from_when_it_went_out_and_not_from_when_it_was_first_tried(world: World) -> None:
    world.provider.script = [Retry("down", timedelta(hours=2))]
    cap = [{"most": 1, "within": "PT1H"}]
    await world.publish(plan(MAIL, reenter="always", caps=cap))
    ada = await world.start()
    await world.drain()
    await world.later(hours=2, minutes=1)
    assert [one.status for run in await world.runs(ada) for one in run.deliveries] == ["accepted"]
    await world.later(minutes=59)
    await world.start(ada)
    await world.drain()
    assert sorted(reasons(run) for run in await world.runs(ada)) == [[], ["capped"]]
    await world.later(minutes=1)
    await world.start(ada)
    await world.drain()
    assert sorted(reasons(run) for run in await world.runs(ada)) == [[], [], ["capped"]]


@pytest.mark.parametrize("steps", [MAIL, {"a": {"do": "send", "action": "send_email"}}], ids=["message", "other"])
async def test_what_is_put_back_to_work_does_not_reach_who_bought_on_another_device_meanwhile(
    world: World, steps: dict[str, Any]
) -> None:
    await world.publish(plan(steps))
    laptop, phone = uuid4(), uuid4()
    world.consents.person = [laptop, phone]
    world.composer.poison = laptop
    await world.start(laptop)
    for _ in range(5):
        await world.later(hours=1)
    run = await world.only_run(laptop)
    assert run.status == "dead"
    await world.convert(phone)
    world.composer.poison = None
    assert await world.replay(run.id) == 1
    await world.drain()
    assert world.provider.reached == []
    run = await world.only_run(laptop)
    assert (run.status, run.end_reason) == ("cancelled", "converted")
