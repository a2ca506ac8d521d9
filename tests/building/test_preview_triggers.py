"""What a flow would have done by each kind of trigger is what the engine did: segments, patterns, schedules, calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, text, update

from flows.models import FlowRun, FlowSchedule
from insights.models import SegmentMove
from tests.api.conftest import Api
from tests.building.test_preview import call, rows_of_every_table
from tests.patterns import shop as past
from tests.segments.people import CART, close_visits, create, visit

TAG = {"do": "send", "action": "tag_customer", "params": {"tag": "seen"}}
BIG = {**CART, "cart_value_minor": 20_000}


def plan(trigger: dict[str, Any], **changes: Any) -> dict[str, Any]:
    steps = {"pause": {"do": "wait", "for": "PT1H", "next": "tag"}, "tag": TAG}
    settings = {"reenter": "always", "exit_on_conversion": False}
    return {"name": "f", "trigger": trigger, "start": "pause", "steps": steps, "settings": settings} | changes


async def published(api: Api, definition: dict[str, Any]) -> str:
    flow = await call(api, "flows", {"definition": definition}, 201)
    await call(api, f"flows/{flow['id']}/publish", {})
    identifier: str = flow["id"]
    return identifier


async def started(api: Api) -> set[UUID]:
    while await api.services.uptake.see_to_due():
        pass
    async with api.services.database.transaction(api.project_id) as tx:
        return set(await tx.scalars(select(FlowRun.visitor_id).where(FlowRun.project_id == api.project_id)))


def visitors(found: dict[str, Any]) -> set[UUID]:
    return {UUID(one["visitor"]) for one in found["sample"]}


async def test_who_came_into_a_segment_and_fell_out_again(api: Api) -> None:
    await create(api, "big", "cart.value >= 100.00 EUR")
    await published(api, plan({"on": "segment", "segment": "big"}))
    await published(api, plan({"on": "segment", "segment": "big", "change": "left"}, name="g"))
    one, two, small = [await visit(api, ("cart_added", cart)) for cart in (BIG, BIG, CART)]
    await close_visits(api)
    await visit(api, ("cart_removed", {**BIG, "cart_value_minor": 0}), visitor=two)
    await close_visits(api)
    assert await started(api) == {one, two}
    before = await rows_of_every_table(api)
    came = await call(api, "flows/preview", {"definition": plan({"on": "segment", "segment": "big"})})
    fell = await call(api, "flows/preview", {"definition": plan({"on": "segment", "segment": "big", "change": "left"})})
    assert await rows_of_every_table(api) == before
    assert (visitors(came), came["started"], came["waiting"], came["assumed"]) == ({one, two}, 2, 2, False)
    assert (visitors(fell), fell["started"]) == ({two}, 1)
    assert "came into big" in came["basis"] and "fell out of big" in fell["basis"]
    asked = {"on": "segment", "segment": "big", "when": "cart.value >= 500.00 EUR"}
    found = await call(api, "flows/preview", {"definition": plan(asked)})
    assert (found["examined"], found["matched"]) == (2, 0)
    through = {"definition": plan({"on": "segment", "segment": "big"})}
    real = await call(api, "flows/step-through", through | {"visitor": str(one)})
    assert (real["asked_for"], real["assumed"], real["status"]) == (True, None, "done")
    never = await call(api, "flows/step-through", through | {"visitor": str(small)})
    assert (never["asked_for"], never["status"]) == (False, "done") and "as if they had" in never["assumed"]


async def test_who_moved_by_another_condition_is_not_taken_for_an_entrant(api: Api) -> None:
    segment = await create(api, "big", "cart.value >= 100.00 EUR")
    await visit(api, ("cart_added", BIG))
    kept = await visit(api)
    await close_visits(api)
    added = await api.client.put(f"/v1/segments/big/visitors/{kept}", headers=api.headers)
    assert added.status_code < 300, added.text
    answer = await api.client.put(
        "/v1/segments/big",
        headers=api.headers | {"if-match": segment["etag"]},
        json={"when": "cart.value >= 900.00 EUR", "description": ""},
    )
    assert answer.status_code == 200, answer.text
    found = await call(api, "flows/preview", {"definition": plan({"on": "segment", "segment": "big"})})
    assert visitors(found) == {kept}


async def test_whom_each_turn_of_a_calendar_found_in_its_segment(api: Api) -> None:
    await create(api, "big", "cart.value >= 100.00 EUR")
    rule = {"on": "schedule", "segment": "big", "every": "P1D"}
    flow = await published(api, plan(rule))
    stayed, gone, late = [await visit(api, ("cart_added", BIG)) for _ in range(3)]
    await close_visits(api)
    await visit(api, ("cart_removed", {**BIG, "cart_value_minor": 0}), visitor=gone)
    await close_visits(api)
    turn = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    moves = {stayed: [-40, None], gone: [-40, -2], late: [-1, None]}
    async with api.services.database.transaction(api.project_id) as tx:
        for visitor, (came, fell) in moves.items():
            for entered, hours in ((True, came), (False, fell)):
                if hours is not None:
                    await tx.execute(
                        update(SegmentMove)
                        .where(SegmentMove.visitor_id == visitor, SegmentMove.entered.is_(entered))
                        .values(at=turn + timedelta(hours=hours))
                    )
            await tx.execute(
                text("UPDATE segment_member SET since = :at WHERE visitor_id = :visitor"),
                {"at": turn + timedelta(hours=came or 0), "visitor": visitor},
            )
        await tx.execute(update(FlowSchedule).where(FlowSchedule.id == UUID(flow)).values(due_at=turn))
    body = {
        "definition": plan(rule),
        "since": (turn - timedelta(days=1, hours=1)).isoformat(),
        "until": (turn + timedelta(minutes=1)).isoformat(),
    }
    found = await call(api, "flows/preview", body)
    told = sorted((one["starts_at"][:13], UUID(one["visitor"])) for one in found["sample"])
    earlier, now = f"{turn - timedelta(days=1):%Y-%m-%dT%H}", f"{turn:%Y-%m-%dT%H}"
    assert told == sorted([(earlier, stayed), (earlier, gone), (now, stayed), (now, late)])
    # The engine, at the last turn.
    assert await started(api) == {stayed, late}
    through = {"definition": plan(rule), "visitor": str(stayed)}
    assert (await call(api, "flows/step-through", through))["asked_for"] is True
    assert "as if they were" in (await call(api, "flows/step-through", through | {"visitor": str(gone)}))["assumed"]


async def test_patterns_that_were_found_start_the_runs_that_they_started(api: Api) -> None:
    weeks = past.Weeks(api.project_id).page("/cart", rate=4, now=0.6, changed_hours=16).page("/", rate=4)
    moved = datetime.now(UTC) - past.NOW
    for row in weeks.rows:
        row["at"] += moved
    await weeks.store(api.services.database)
    rules = {each: {"on": "pattern", "reasons": ["technical_error"], "each": each} for each in ("shop", "visitor")}
    for each, rule in rules.items():
        await published(api, plan(rule, name=each))
    found = await api.client.post("/v1/patterns/look", json={"hours": 30}, headers=api.headers)
    assert len(found.json()["found"]) == 1
    runs = await started(api)
    shop = await call(api, "flows/preview", {"definition": plan(rules["shop"])})
    assert (shop["started"], visitors(shop)) == (1, {UUID(int=0)})
    each = await call(api, "flows/preview", {"definition": plan(rules["visitor"])})
    assert each["started"] == len(runs) - 1 > 20 and visitors(each) <= runs
    down = await call(api, "flows/preview", {"definition": plan({"on": "pattern", "direction": "down"})})
    assert (down["examined"], down["assumed"]) == (0, False)
    through = await call(
        api, "flows/step-through", {"definition": plan(rules["visitor"]), "visitor": str((runs - {UUID(int=0)}).pop())}
    )
    assert through["asked_for"] is True and through["lines"][0]["what"] == "started"


async def test_calls_that_were_made_are_gone_through_and_others_are_not_foretold(api: Api) -> None:
    definition = plan({"on": "api"})
    empty = await call(api, "flows/preview", {"definition": definition})
    assert (empty["assumed"], empty["sample"]) == (False, []) and "cannot be foretold" in empty["basis"]
    called, other = await visit(api, hours_ago=2), await visit(api, hours_ago=1)
    none = await call(api, "flows/preview", {"definition": definition})
    assert (none["assumed"], none["examined"], none["started"], visitors(none)) == (True, 0, 0, {other})
    flow = await published(api, definition)
    await call(api, f"flows/{flow}/start", {"visitor": str(called), "data": {"order": "17"}})
    found = await call(api, "flows/preview", {"definition": definition})
    assert (found["assumed"], found["started"], visitors(found)) == (False, 1, {called})
    through = await call(api, "flows/step-through", {"definition": definition, "visitor": str(other)})
    assert (through["asked_for"], through["assumed"]) == (False, "A call for them as this visit ended.")


async def test_an_event_is_stepped_through_from_the_moment_it_arrived(api: Api) -> None:
    rule = {"on": "event", "event": "cart_added"}
    visitor, without = await visit(api, ("cart_added", CART)), await visit(api)
    through = {"definition": plan(rule)}
    real = await call(api, "flows/step-through", through | {"visitor": str(visitor)})
    assert (real["asked_for"], real["assumed"]) == (True, None)
    assumed = await call(api, "flows/step-through", through | {"visitor": str(without)})
    assert assumed["asked_for"] is False and "No such event" in assumed["assumed"]
    await call(api, "flows/step-through", through | {"visitor": str(uuid4())}, 404)


async def test_a_goal_that_is_a_segment_ends_the_run_in_the_preview_too(api: Api) -> None:
    await create(api, "big", "cart.value >= 100.00 EUR")
    visitor = await visit(api, ("searched", {"query": "mug", "results": 1}), hours_ago=1)
    await visit(api, ("cart_added", BIG), visitor=visitor)
    await close_visits(api)
    rule = {"on": "event", "event": "searched"}
    settings = {"goals": [{"segment": "big"}]}
    found = await call(api, "flows/preview", {"definition": plan(rule, settings=settings)})
    assert found["ended"] == {"goal: big": 1}, found["sample"]
