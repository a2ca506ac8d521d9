"""What came of a flow, by version and step; its lift; and messages whose end nobody saw."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from sqlalchemy import update

from adapters.postgres.engine import DatabaseUrls, conninfo
from flows.models import Conversion, Delivery, DeliveryEvent, FlowRun, RunEvent
from insights.models import DiscountCode, SegmentMove, Shop
from tests.api.conftest import Api
from tests.segments.people import CART, close_visits, create, visit
from tests.viewer.conftest import log_in

NOW = datetime.now(UTC)
MAIL = {"do": "send", "action": "send_email", "params": {"message": "cart_reminder"}}
PLAN: dict[str, Any] = {
    "name": "f",
    "trigger": {"on": "insight"},
    "start": "pause",
    "steps": {"pause": {"do": "wait", "for": "PT1H", "next": "mail"}, "mail": MAIL},
    "settings": {"success": {"within": "P2D"}},
}


async def call(api: Api, method: str, path: str, **options: Any) -> httpx.Response:
    headers = api.headers | options.pop("headers", {})
    return await api.client.request(method, f"/v1/{path}", headers=headers, **options)


async def published(api: Api, **changes: Any) -> tuple[UUID, UUID]:
    made = await call(api, "POST", "flows", json={"definition": PLAN | changes})
    assert made.status_code == 201, made.text
    identifier = made.json()["id"]
    assert (await call(api, "POST", f"flows/{identifier}/publish")).status_code == 200
    versions = (await call(api, "GET", f"flows/{identifier}/versions")).json()["versions"]
    return UUID(identifier), UUID(versions[0]["id"])


async def ran(
    api: Api,
    flow: tuple[UUID, UUID],
    *,
    visitor: UUID | None = None,
    status: str = "done",
    reason: str | None = "finished",
    step: str = "mail",
    lines: tuple[tuple[str, str, str], ...] = (("pause", "waited", ""), ("mail", "sending", "email")),
    sent: str | None = "accepted",
    told: tuple[str, ...] = (),
    at: datetime = NOW - timedelta(days=3),
    action: str = "send_email",
) -> tuple[UUID, UUID]:
    """A run with its history and message; returns the visitor and the delivery."""
    visitor, run, delivery = visitor or uuid4(), uuid4(), uuid4()
    project = api.project_id
    async with api.services.database.transaction(project) as tx:
        tx.add(
            FlowRun(
                project_id=project,
                id=run,
                flow_id=flow[0],
                version_id=flow[1],
                visitor_id=visitor,
                trigger_key=str(run),
                trigger_group=str(run),
                triggered_at=at,
                facts={},
                exit_on_conversion=True,
                status=status,
                step=step,
                waiting=False,
                signalled=False,
                attempts=0,
                started_at=at,
                due_at=NOW if status == "waiting" else None,
                end_reason=reason,
            )
        )
        for name, what, detail in lines:
            tx.add(RunEvent(project_id=project, run_id=run, at=at, step=name, what=what, detail=detail))
        if sent is not None:
            tx.add(
                Delivery(
                    project_id=project,
                    id=delivery,
                    run_id=run,
                    step=step,
                    action=action,
                    visitor_id=visitor,
                    channel="email",
                    dedupe_key=str(run),
                    content={},
                    status=sent,
                    attempts=1,
                    created_at=at,
                )
            )
        for kind in told:
            tx.add(
                DeliveryEvent(
                    project_id=project, delivery_id=delivery, kind=kind, at=at, visitor_id=visitor, received_at=at
                )
            )
    return visitor, delivery


async def bought(api: Api, visitor: UUID, at: datetime, key: str, value: int = 10_000) -> None:
    async with api.services.database.transaction(api.project_id) as tx:
        tx.add(
            Conversion(
                project_id=api.project_id,
                key=key,
                visitor_id=visitor,
                occurred_at=at,
                value_minor=value,
                currency="EUR",
            )
        )


async def figures(api: Api, flow: tuple[UUID, UUID], query: str = "") -> dict[str, Any]:
    answer = await call(api, "GET", f"flows/{flow[0]}/figures{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_every_step_says_who_came_by_and_what_became_of_its_messages(api: Api) -> None:
    flow = await published(api)
    skipped = (("pause", "waited", ""), ("mail", "skipped", "no_consent: The visitor has not agreed."))
    await ran(api, flow, told=("delivered", "opened", "clicked"))
    await ran(api, flow, told=("delivered", "opened", "complained"))
    await ran(api, flow, sent="unknown")
    await ran(api, flow, sent="rejected")
    await ran(api, flow, lines=skipped, sent=None)
    await ran(api, flow, status="waiting", reason=None, step="pause", lines=(("pause", "waiting", ""),), sent=None)
    await ran(api, flow, status="cancelled", reason="reentry", lines=(), sent=None)
    await ran(api, flow, status="cancelled", reason="converted: order 7", lines=(("pause", "waiting", ""),), sent=None)
    await ran(api, flow, at=NOW - timedelta(days=90))
    found = await figures(api, flow)
    (version,) = found["versions"]
    assert (version["version"], version["started"], version["waiting"]) == (1, 7, 1)
    assert version["not_started"] == {"reentry": 1}
    assert version["ended"] == {"finished": 5, "converted": 1}
    pause, mail = version["steps"]["pause"], version["steps"]["mail"]
    assert (pause["entered"], pause["waiting"], pause["ways"]) == (7, 1, {"waited": 5})
    assert (mail["entered"], mail["skipped"]) == (5, {"no_consent": 1})
    counted = {name: value for name, value in mail["messages"].items() if value}
    assert counted == {
        "sent": 3, "to_visitors": 3, "unknown": 1, "rejected": 1, "delivered": 2, "opened": 2, "clicked": 1,
        "complained": 1,
    }  # fmt: skip
    assert found["total"] == mail["messages"]
    assert (await figures(api, flow, "?since=2020-01-01T00:00:00Z&until=2020-02-01T00:00:00Z"))["total"]["sent"] == 0
    assert (await call(api, "GET", f"flows/{flow[0]}/figures?version=9")).status_code == 404
    assert (await call(api, "GET", f"flows/{flow[0]}/figures?since=2020-01-01T00:00:00Z")).status_code == 400


async def test_an_order_counts_for_the_last_message_before_it_within_the_window(api: Api) -> None:
    async with api.services.database.transaction(api.project_id) as tx:
        tx.add(Shop(project_id=api.project_id, currency="EUR", margin_rate=0.4))
    flow = await published(api)
    at = NOW - timedelta(days=5)
    buyer, _ = await ran(api, flow, at=at)
    await bought(api, buyer, at - timedelta(hours=1), "before")
    await bought(api, buyer, at + timedelta(hours=1), "in time")
    await bought(api, buyer, at + timedelta(days=3), "too late")
    twice, _ = await ran(api, flow, at=at)
    await ran(api, flow, at=at + timedelta(hours=2), visitor=twice)
    await bought(api, twice, at + timedelta(hours=3), "once")
    refund = api.event("refunded", {"order_id": "once", "value_minor": 2_500, "currency": "EUR"})
    told = await api.client.post("/v1/events", params={"key": api.secret}, json=api.batch(refund))
    assert told.json()["accepted"] == 1, told.text
    found = await figures(api, flow)
    total = found["total"]
    assert (total["sent"], total["converted"], total["orders"]) == (3, 2, 2)
    assert total["revenue_minor"] == {"EUR": 17_500}
    assert (total["margin_minor"], found["margin_currency"]) == (7_000.0, "EUR")
    async with api.services.database.transaction(api.project_id) as tx:
        times = {"issued_at": at, "expires_at": NOW, "redeemed_at": at + timedelta(hours=1)}
        tx.add(DiscountCode(project_id=api.project_id, code="C", issue_key="k", visitor_id=buyer, percent=20, **times))
    total = (await figures(api, flow))["total"]
    # 125.00 at 40 % with 25.00 off leaves 25.00, where 100.00 left 40.00.
    assert (total["revenue_minor"], total["margin_minor"]) == ({"EUR": 17_500}, pytest.approx(5_500))


async def test_conversions_are_told_of_what_was_for_visitors_and_tickets_are_sent_too(api: Api) -> None:
    tell = {"do": "send", "action": "create_ticket", "params": {}}
    flow = await published(api, steps=PLAN["steps"] | {"mail": MAIL | {"next": "tell"}, "tell": tell})
    for number in range(4):
        at = NOW - timedelta(days=3)
        visitor, _ = await ran(api, flow, at=at)
        await ran(api, flow, at=at, visitor=visitor, step="tell", action="create_ticket")
        if number == 0:
            await bought(api, visitor, at + timedelta(hours=1), "one")
    total = (await figures(api, flow))["total"]
    assert (total["sent"], total["to_visitors"], total["converted"]) == (8, 4, 1)
    await log_in(api.client, api.secret)
    assert "25 % of the 4 to visitors" in (await api.client.get(f"/app/flows/{flow[0]}")).text


async def test_an_order_that_two_flows_reached_for_is_put_down_to_one(api: Api) -> None:
    first, second = await published(api, name="a"), await published(api, name="b")
    segment = await published(api, name="c", settings={"success": {"goal": {"event": "product_viewed"}}})
    at = NOW - timedelta(days=5)
    buyer, _ = await ran(api, first, at=at)
    await ran(api, second, at=at + timedelta(hours=2), visitor=buyer)
    # Wants something else, and takes no order from those who want one.
    await ran(api, segment, at=at + timedelta(hours=4), visitor=buyer)
    await bought(api, buyer, at + timedelta(hours=1), "of the first")
    await bought(api, buyer, at + timedelta(hours=5), "of the second")
    # The second one's two days are over, and so are the first one's.
    await bought(api, buyer, at + timedelta(hours=51), "of nobody")
    for flow, converted in ((first, 1), (second, 1), (segment, 0)):
        total = (await figures(api, flow))["total"]
        assert (total["sent"], total["orders"], total["converted"]) == (1, converted, converted)
        assert total["revenue_minor"] == ({"EUR": 10_000} if converted else {})


async def test_a_goal_of_ones_own_is_counted_where_it_came_true(api: Api) -> None:
    goal = {"success": {"goal": {"event": "reviews_viewed"}, "within": "P2D"}}
    flow = await published(api, settings=goal)
    reader = await visit(api, ("reviews_viewed", {"count": 3}), hours_ago=70)
    await ran(api, flow, visitor=reader)
    await ran(api, flow)
    total = (await figures(api, flow))["total"]
    assert (total["sent"], total["converted"], total["orders"]) == (2, 1, 0)


async def test_a_goal_that_is_a_segment_is_counted_when_they_come_in_after_the_message(api: Api) -> None:
    await create(api, "loyal", "cart.value >= 10.00 EUR")
    flow = await published(api, settings={"success": {"goal": {"segment": "loyal"}, "within": "P2D"}})
    people = [await visit(api, ("cart_added", CART)) for _ in range(4)]
    await close_visits(api)
    came = NOW - timedelta(days=3)
    in_time, too_late, before, twice = people
    for visitor, hours in ((in_time, 5), (too_late, 72), (before, -1), (twice, 5)):
        async with api.services.database.transaction(api.project_id) as tx:
            await tx.execute(
                update(SegmentMove).where(SegmentMove.visitor_id == visitor).values(at=came + timedelta(hours=hours))
            )
        await ran(api, flow, visitor=visitor, at=came)
    await ran(api, flow, visitor=twice, at=came + timedelta(hours=1))
    await ran(api, flow, at=came)
    total = (await figures(api, flow))["total"]
    # Of two messages before it, the last one counts.
    assert (total["sent"], total["converted"], total["orders"]) == (6, 2, 0)


async def test_what_a_flow_holds_back_by_itself_is_no_holdout_of_the_shop(api: Api) -> None:
    flow = await published(api, settings=PLAN["settings"] | {"holdout": 0.5})
    await ran(api, flow, lines=(("mail", "skipped", "flow_holdout: Nothing of this flow."),), sent=None)
    async with api.services.database.transaction(api.project_id) as tx:
        tx.add(Shop(project_id=api.project_id, holdout=0.1))
    found = (await call(api, "GET", "lift")).json()
    # They came to a moment like those whom the shop's holdout would have kept it from: as one who may be spoken to.
    assert (found["treated"], found["held_out"], found["waiting"], found["balance"]["held_out"]) == (0, 0, 1, 0)


async def test_lift_compares_who_was_reached_with_those_held_back_from(api: Api, database_urls: DatabaseUrls) -> None:
    flow = await published(api, settings=PLAN["settings"] | {"holdout": 0.5})
    with psycopg.connect(conninfo(database_urls.owner), autocommit=True) as connection:
        # A published version never changes; nobody but the owner could do this.
        connection.execute("UPDATE flow_version SET published_at = now() - interval '60 days'")
    chance = random.Random(5)
    held = (("mail", "skipped", "flow_holdout: They get nothing of this flow."),)
    at = NOW - timedelta(days=20)
    for n in range(440):
        if n % 2:
            visitor, _ = await ran(api, flow, at=at)
        else:
            visitor, _ = await ran(api, flow, at=at, lines=held, sent=None)
        if chance.random() < (0.5 if n % 2 else 0.1):
            await bought(api, visitor, at + timedelta(hours=5), f"o{n}")
    await ran(api, await published(api, name="other"), at=at)
    found = (await call(api, "GET", f"flows/{flow[0]}/lift")).json()
    assert (found["treated"], found["held_out"], found["holdout"], found["days_counted"]) == (220, 220, 0.5, 2)
    assert found["conversion"]["verdict"] == "more"
    assert found["balance"]["alarm"] is False
    draft = (await call(api, "POST", "flows", json={"definition": PLAN | {"name": "new"}})).json()
    assert (await call(api, "GET", f"flows/{draft['id']}/lift")).status_code == 409


async def test_whom_a_flow_met_under_another_share_is_left_out_of_the_measurement_under_this_one(
    api: Api, database_urls: DatabaseUrls
) -> None:
    flow = await published(api, settings=PLAN["settings"] | {"holdout": 0.2})
    more = PLAN | {"settings": PLAN["settings"] | {"holdout": 0.5}}
    assert (await call(api, "PUT", f"flows/{flow[0]}", json={"definition": more})).status_code == 200
    assert (await call(api, "POST", f"flows/{flow[0]}/publish")).status_code == 200
    with psycopg.connect(conninfo(database_urls.owner), autocommit=True) as connection:
        connection.execute(
            "UPDATE flow_version SET published_at = now() - interval '40 days' + number * interval '10 days'"
        )
    held = (("mail", "skipped", "flow_holdout: They get nothing of this flow."),)
    old, _ = await ran(api, flow, at=NOW - timedelta(days=25))
    await ran(api, flow, at=NOW - timedelta(days=15), visitor=old, lines=held, sent=None)
    await ran(api, flow, at=NOW - timedelta(days=15), lines=held, sent=None)
    await ran(api, flow, at=NOW - timedelta(days=15))
    found = (await call(api, "GET", f"flows/{flow[0]}/lift")).json()
    assert (found["treated"], found["held_out"], found["holdout"]) == (1, 1, 0.5)


@pytest.mark.parametrize("before", [0.0, 0.2])
async def test_a_run_that_began_under_another_share_is_no_part_of_the_measurement_under_this_one(
    api: Api, database_urls: DatabaseUrls, before: float
) -> None:
    old = await published(api, settings=PLAN["settings"] | {"holdout": before})
    more = PLAN | {"settings": PLAN["settings"] | {"holdout": 0.5}}
    assert (await call(api, "PUT", f"flows/{old[0]}", json={"definition": more})).status_code == 200
    assert (await call(api, "POST", f"flows/{old[0]}/publish")).status_code == 200
    versions = (await call(api, "GET", f"flows/{old[0]}/versions")).json()["versions"]
    new = (old[0], UUID(versions[0]["id"]))
    with psycopg.connect(conninfo(database_urls.owner), autocommit=True) as connection:
        connection.execute(
            "UPDATE flow_version SET published_at = now() - interval '40 days' + number * interval '10 days'"
        )
    held = (("mail", "skipped", "flow_holdout: They get nothing of this flow."),)
    change = NOW - timedelta(days=20)
    # Written to after the change, by the version before it: nobody, or fewer, of them could have been held back.
    waited, delivery = await ran(api, old, at=change - timedelta(days=1))
    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(update(Delivery).where(Delivery.id == delivery).values(created_at=change + timedelta(hours=9)))
    await ran(api, new, at=change + timedelta(days=1))
    await ran(api, new, at=change + timedelta(days=1), lines=held, sent=None)
    found = (await call(api, "GET", f"flows/{old[0]}/lift")).json()
    assert (found["treated"], found["held_out"], found["holdout"]) == (1, 1, 0.5)
    # They begin anew with the next run, unless their past differs by group.
    await ran(api, new, at=change + timedelta(days=3), visitor=waited)
    found = (await call(api, "GET", f"flows/{old[0]}/lift")).json()
    assert (found["treated"], found["held_out"]) == (1 if before else 2, 1)


async def test_a_new_name_of_a_flow_that_holds_back_begins_a_new_measurement(api: Api) -> None:
    plan = PLAN | {"settings": PLAN["settings"] | {"holdout": 0.5}}
    flow, _ = await published(api, settings=plan["settings"])

    async def since(**changes: Any) -> str:
        assert (await call(api, "PUT", f"flows/{flow}", json={"definition": plan | changes})).status_code == 200
        assert (await call(api, "POST", f"flows/{flow}/publish")).status_code == 200
        found: str = (await call(api, "GET", f"flows/{flow}/lift")).json()["since"]
        return found

    first = await since(description="the same people are held out")
    assert await since(description="still the same") == first
    # The name is in the draw: others are held out from here on.
    renamed = await since(name="renamed")
    assert renamed > first
    assert await since(name="renamed", description="and the same again") == renamed


async def test_what_nobody_could_say_of_is_settled_by_hand(api: Api) -> None:
    flow = await published(api)
    _, arrived = await ran(api, flow, sent="unknown")
    _, lost = await ran(api, flow, sent="unknown")
    listed = (await call(api, "GET", "deliveries?status=unknown")).json()["deliveries"]
    assert {one["id"] for one in listed} == {str(arrived), str(lost)}
    yes = await call(api, "POST", f"deliveries/{arrived}/settle", json={"arrived": True})
    no = await call(api, "POST", f"deliveries/{lost}/settle", json={"arrived": False})
    assert (yes.json()["status"], no.json()["status"]) == ("accepted", "rejected")
    again = await call(api, "POST", f"deliveries/{arrived}/settle", json={"arrived": True})
    assert again.status_code == 200
    assert (await call(api, "POST", f"deliveries/{arrived}/settle", json={"arrived": False})).status_code == 409
    assert (await call(api, "POST", f"deliveries/{uuid4()}/settle", json={"arrived": True})).status_code == 404
    total = (await figures(api, flow))["total"]
    assert (total["sent"], total["unknown"], total["rejected"]) == (1, 0, 1)


async def test_a_settled_run_says_so_in_its_history(api: Api) -> None:
    flow = await published(api)
    visitor, delivery = await ran(api, flow, sent="unknown")
    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(update(FlowRun).values(end_reason="x"))
    await call(api, "POST", f"deliveries/{delivery}/settle", json={"arrived": False})
    (run,) = (await call(api, "GET", f"runs?visitor={visitor}")).json()["runs"]
    assert run["history"][-1]["what"] == "settled" and "not arrived" in run["history"][-1]["detail"]


async def test_what_was_over_at_once_did_not_start_and_what_ended_later_did(api: Api) -> None:
    flow = await published(api)
    for later in (timedelta(0), timedelta(hours=1)):
        buyer, _ = await ran(api, flow, status="cancelled", reason="converted", lines=(), sent=None)
        async with api.services.database.transaction(api.project_id) as tx:
            run = update(FlowRun).where(FlowRun.visitor_id == buyer)
            await tx.execute(run.values(ended_at=FlowRun.started_at + later))
    await ran(api, flow, status="cancelled", reason="reentry: on another device")
    await ran(api, flow, status="cancelled", reason="reentry", lines=(), sent=None)
    (version,) = (await figures(api, flow))["versions"]
    assert version["started"] == 2
    assert version["not_started"] == {"reentry": 1, "converted": 1}
    assert version["ended"] == {"reentry": 1, "converted": 1}
    assert version["messages"]["sent"] == 1
