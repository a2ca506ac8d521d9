"""Flows that ask about visitors, tag them and add them to segments; membership stored when a visit closes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from flows.definition import FlowDefinition
from flows.errors import FlowInvalid
from flows.store import RunView, list_runs, publish
from insights.conditions.fields import FIELDS
from insights.models import Segment, SegmentMember, Visitor, VisitorTag
from insights.profiles.profile import Profile
from insights.profiles.rebuild import rebuild
from insights.recovery.publish import ACTIONS, publish_flow
from tests.api.conftest import Api
from tests.segments.people import CART, close_visits, create, segments_of, tag, visit


async def publish_flow_of(api: Api, steps: dict[str, Any], when: Any = None) -> None:
    definition = FlowDefinition.model_validate(
        {"name": "f", "trigger": {"on": "insight", "when": when}, "start": "a", "steps": steps}
    )
    async with api.services.database.transaction(api.project_id) as tx:
        await publish_flow(tx, api.project_id, definition, datetime.now(UTC))


async def run_of(api: Api, visitor: UUID) -> RunView | None:
    while await api.services.runner.run_due():
        pass
    async with api.services.database.transaction(api.project_id) as tx:
        runs = await list_runs(tx, api.project_id, visitor_id=visitor)
    assert len(runs) <= 1
    return runs[0] if runs else None


def history(run: RunView | None) -> list[tuple[str | None, str, str]]:
    assert run is not None
    return [(line.step, line.what, line.detail) for line in run.history if line.step is not None]


async def test_a_flow_tags_a_visitor_and_its_next_branch_sees_it(api: Api) -> None:
    await create(api, "friends", None)
    await publish_flow_of(
        api,
        {
            "a": {"do": "branch", "when": 'visitor.tags has "left-cart"', "then": "z", "otherwise": "b"},
            "b": {
                "do": "send",
                "action": "tag_customer",
                "params": {"set": ["Left-Cart", "x"], "remove": ["new"]},
                "next": "c",
            },
            "c": {"do": "send", "action": "add_to_segment", "params": {"segment": "friends"}, "next": "d"},
            "d": {
                "do": "branch",
                "when": 'visitor.tags has all ("left-cart", "x") and visitor.segments has "friends"',
                "then": "z",
                "otherwise": "z2",
            },
            "z": {"do": "exit", "reason": "marked"},
            "z2": {"do": "exit", "reason": "not marked"},
        },
    )
    visitor = await visit(api, ("cart_added", CART))
    await tag(api, visitor, "new")
    await close_visits(api)
    run = await run_of(api, visitor)
    assert history(run) == [
        ("a", "otherwise", 'visitor.tags is ("new")'),
        ("b", "done", "tags now: left-cart, x"),
        ("c", "done", "added to friends"),
        ("d", "then", 'visitor.tags is ("left-cart", "x"); visitor.segments is ("friends")'),
        ("z", "ended", "marked"),
    ]
    assert run is not None
    assert run.deliveries == []
    assert await segments_of(api, visitor) == ["friends"]
    async with api.services.database.transaction(api.project_id) as tx:
        assert set(await tx.scalars(select(VisitorTag.set_by))) == {f"run:{run.id}"}


@pytest.mark.parametrize(
    ("action", "params", "why"),
    [
        ("tag_customer", {}, "no_tag: The step names no tag"),
        ("tag_customer", {"tag": "no spaces"}, "tag_refused: 'no spaces' is no tag"),
        ("tag_customer", {"tag": 5}, "tag_refused: '5' is no tag"),
        ("add_to_segment", {}, "no_segment: The step names no segment"),
        ("add_to_segment", {"segment": "nobody"}, "no_segment: There is no segment 'nobody'"),
    ],
)
async def test_a_mark_that_cannot_be_made_is_skipped_with_the_reason(
    api: Api, action: str, params: dict[str, Any], why: str
) -> None:
    # As it stood in a version published before parameters were checked.
    definition = FlowDefinition.model_validate(
        {
            "name": "f",
            "trigger": {"on": "insight"},
            "start": "a",
            "steps": {"a": {"do": "send", "action": action, "params": params}},
        }
    )
    async with api.services.database.transaction(api.project_id) as tx:
        await publish(tx, api.project_id, definition, datetime.now(UTC), ACTIONS, FIELDS)
    visitor = await visit(api)
    await close_visits(api)
    ((_, what, detail), *_) = history(await run_of(api, visitor))
    assert what == "skipped"
    assert detail.startswith(why)


async def test_a_trigger_asks_about_the_visitor_before_a_run_starts(api: Api) -> None:
    await create(api, "rich", "cart.value >= 50 EUR")
    await publish_flow_of(
        api, {"a": {"do": "exit"}}, when='visitor.segments has "rich" and not visitor.tags has "staff"'
    )
    rich, staff, poor = await visit(api, ("cart_added", CART)), await visit(api, ("cart_added", CART)), await visit(api)
    await tag(api, staff, "staff")
    await close_visits(api)
    assert await run_of(api, rich) is not None
    assert await run_of(api, staff) is None
    assert await run_of(api, poor) is None
    used = await api.client.delete("/v1/segments/rich", headers=api.headers)
    assert (used.status_code, used.json()["detail"]) == (409, "rich is used by flow f. Change that first.")


async def test_a_flow_that_asks_about_a_segment_there_is_not_is_not_published(api: Api) -> None:
    await create(api, "big-carts", "cart.items > 3")
    steps = {
        "a": {
            "do": "branch",
            "when": 'cart.items > 1 or visitor.segments has "big-cart"',
            "then": "b",
            "otherwise": "b",
        },
        "b": {"do": "exit"},
    }
    with pytest.raises(FlowInvalid) as caught:
        await publish_flow_of(api, steps, when='visitor.segments has any ("big-carts", "x")')
    assert [(fault.pointer, fault.fix) for fault in caught.value.faults] == [
        ("/trigger/when/value", "use one of: big-carts"),
        ("/steps/a/when/any/1/value", "did you mean big-carts?"),
    ]


async def members(api: Api) -> dict[str, set[UUID]]:
    async with api.services.database.transaction(api.project_id) as tx:
        rows = await tx.execute(
            select(Segment.name, SegmentMember.visitor_id)
            .join(SegmentMember, SegmentMember.segment_id == Segment.id)
            .where(SegmentMember.project_id == api.project_id)
        )
        found: dict[str, set[UUID]] = {}
        for name, visitor in rows:
            found.setdefault(name, set()).add(visitor)
        return found


async def test_who_is_in_a_segment_is_stored_when_a_visit_closes(api: Api) -> None:
    await create(api, "carts", 'cart.items > 0 and insight.kind = "abandoned"')
    await create(api, "friends", "visitor.sessions > 5")
    visitor, other = await visit(api, ("cart_added", CART)), await visit(api)
    assert await members(api) == {}
    await close_visits(api)
    assert await members(api) == {"carts": {visitor}}
    url = f"/v1/segments/friends/visitors/{visitor}"
    assert (await api.client.put(url, headers=api.headers)).status_code == 200
    order = {"order_id": "o", "value_minor": 6000, "currency": "EUR"}
    await visit(api, ("purchased", order), visitor=visitor)
    await visit(api, ("cart_added", CART), visitor=other)
    await close_visits(api)
    # The one who was added stays, whatever the condition says.
    assert await members(api) == {"carts": {other}, "friends": {visitor}}
    by_hand = f"/v1/segments/carts/visitors/{other}"
    assert (await api.client.put(by_hand, headers=api.headers)).json() == {"changed": True}
    await visit(api, ("purchased", {**order, "order_id": "p"}), visitor=other)
    await close_visits(api)
    assert await members(api) == {"carts": {other}, "friends": {visitor}}
    assert (await api.client.delete(by_hand, headers=api.headers)).json() == {"changed": True}
    assert await members(api) == {"friends": {visitor}}
    await visit(api, ("cart_added", CART), visitor=other)
    await close_visits(api)
    listed = (await api.client.get("/v1/segments", headers=api.headers)).json()["segments"]
    assert {one["name"]: one["members"] for one in listed} == {"carts": 1, "friends": 1}
    changed = await api.client.put("/v1/segments/carts", headers=api.headers, json={"when": "cart.items > 99"})
    assert changed.status_code == 200
    assert await members(api) == {"friends": {visitor}}


async def profile_of(api: Api, visitor: UUID) -> Profile:
    async with api.services.database.transaction(api.project_id) as tx:
        return await rebuild(tx, api.project_id, visitor)


async def version_of(api: Api, visitor: UUID) -> int:
    async with api.services.database.transaction(api.project_id) as tx:
        return (await tx.get_one(Visitor, (api.project_id, visitor))).version


async def test_live_actions_see_tags_at_once_and_segments_of_the_last_visit(api: Api) -> None:
    await create(api, "carts", "cart.items > 0")
    await create(api, "friends", None)
    visitor = await visit(api, ("cart_added", CART))
    versions = [await version_of(api, visitor)]
    assert await tag(api, visitor, "vip") == ["vip"]
    versions.append(await version_of(api, visitor))
    await close_visits(api)
    versions.append(await version_of(api, visitor))
    profile = await profile_of(api, visitor)
    assert (profile.tags, profile.segments) == (("vip",), ("carts",))
    url = f"/v1/segments/friends/visitors/{visitor}"
    await api.client.put(url, headers=api.headers)
    versions.append(await version_of(api, visitor))
    assert (await profile_of(api, visitor)).segments == ("carts", "friends")
    await api.client.delete(url, headers=api.headers)
    versions.append(await version_of(api, visitor))
    assert await tag(api, visitor, remove=("vip",)) == []
    versions.append(await version_of(api, visitor))
    assert (await profile_of(api, visitor)).tags == ()
    # Each change makes copies of the profile elsewhere old; one that changes nothing does not.
    assert versions == sorted(set(versions))
    assert await tag(api, visitor, remove=("vip",)) == []
    assert await version_of(api, visitor) == versions[-1]


async def test_a_tag_does_not_wait_for_who_is_writing_the_visitor(api: Api) -> None:
    visitor = await visit(api)
    async with api.services.database.transaction(api.project_id) as writing:
        await writing.get_one(Visitor, (api.project_id, visitor), with_for_update=True)
        async with asyncio.timeout(5):
            assert await tag(api, visitor, "vip") == ["vip"]
