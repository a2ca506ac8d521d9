"""Orders that no visit of the shop made, at a till or where no page told of them, are purchases and no visits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from flows.definition import FlowDefinition
from flows.models import Conversion, FlowRun
from flows.ports import Trigger
from flows.starting import start_runs
from flows.store import publish
from insights.conditions.fields import FIELDS
from insights.identity.named import visitors_named
from insights.identity.together import person_of
from insights.models import Event, Insight, RejectedEvent, Session
from insights.profiles.rebuild import rebuild
from insights.profiles.rebuild_many import rebuild_many
from insights.segments.crowd import Crowd
from insights.segments.knowledge import VisitorKnowledge
from tests.api.conftest import Api, api
from tests.dialects.test_orders_of_servers import HOUR_MS, by_user, rows, visit, visits
from tests.dialects.test_segment_http import close
from tests.sources.senders import SECRET, generic, make, order, shopify

__all__ = ["api"]

CUSTOMER = {"user_id": "115310627314723950"}
MINUTE_MS = 60_000
GRACE = timedelta(minutes=1)


async def sells(api: Api, source: str, number: int = 7, **other: Any) -> None:
    """Shopify tells of an order by its one customer."""
    path, _ = await make(api, "shopify", SECRET)
    await shopify(api, path, "orders/create", order(number, source_name=source, **other))
    # Again, by another topic: it changes nothing.
    await shopify(api, path, "orders/paid", order(number, source_name=source, **other))


async def bought(api: Api, visitor: UUID) -> int:
    """How often somebody bought, as live profiles know it and as segments do, which agree."""
    asked = ("events.purchased.count", (timedelta(days=30),))
    async with api.services.database.transaction(api.project_id) as tx:
        profile = await rebuild(tx, api.project_id, visitor)
        person = await person_of(tx, api.project_id, visitor)
        many = await rebuild_many(tx, api.project_id, {visitor: person})
        known = await Crowd(tx, api.project_id, [visitor], datetime.now(UTC)).values(visitor, [asked])
    assert many == {visitor: profile}
    assert known[asked] == profile.purchases
    return profile.purchases


async def customer(api: Api) -> UUID:
    async with api.services.database.transaction(api.project_id) as tx:
        return min(await visitors_named(tx, api.project_id, **CUSTOMER))


@pytest.mark.parametrize("source", ["pos", "shopify_draft_order", "subscription_contract"])
async def test_what_is_sold_at_a_till_is_a_purchase_and_no_visit(api: Api, source: str) -> None:
    await sells(api, source)
    assert await bought(api, await customer(api)) == 1
    await close(api)
    assert await rows(api, Session) == await rows(api, Insight) == []
    assert await bought(api, await customer(api)) == 1
    asked = {"when": "visitor.purchases = 1 and visitor.sessions = 0"}
    seen = (await api.client.post("/v1/segments/preview", headers=api.headers, json=asked)).json()
    assert (seen["matched"], seen["examined"], seen["complete"]) == (1, 1, True)
    [sold] = await rows(api, Conversion)
    assert (sold.value_minor, sold.by_server) == (40994, True)
    assert "purchased" in {event.type for event in await rows(api, Event)}


@pytest.mark.parametrize(("source", "converted"), [("pos", False), ("web", True), ("580111", True)])
async def test_who_looks_at_the_shop_on_the_way_to_its_till_did_not_buy_in_that_visit(
    api: Api, source: str, converted: bool
) -> None:
    looked = visit(api, ("identified", CUSTOMER), ("cart_added", {"product_id": "tee"}), ago_ms=10 * MINUTE_MS)
    await api.send(looked)
    await sells(api, source)
    await close(api)
    assert await visits(api) == {looked["session"]: converted}
    assert await bought(api, UUID(looked["visitor"])) == 1


async def by_segment(api: Api) -> None:
    said = {"order_id": "T-1", "total": 12.5, "currency": "EUR", "online": False}
    told = {"event": "Order Completed", "messageId": "t", "userId": CUSTOMER["user_id"], "properties": said}
    assert (await api.client.post("/v1/track", auth=(api.secret, ""), json=told)).json() == {"success": True}


async def by_the_measurement_protocol(api: Api) -> None:
    params = {"transaction_id": "T-1", "value": 12.5, "currency": "EUR", "online": False}
    body = {"client_id": "till.1", **CUSTOMER, "events": [{"name": "purchase", "params": params}]}
    told = await api.client.post("/v1/ga4", params={"api_secret": api.secret}, json=body)
    assert told.json() == {"success": True}


async def by_a_webhook(api: Api) -> None:
    path, secret = await make(api, "generic")
    data = {**CUSTOMER, "order_id": "T-1", "value_minor": 1250, "currency": "EUR", "online": False}
    told = {"type": "purchased", "timestamp": datetime.now(UTC).isoformat(), "data": data}
    assert (await generic(api, path, secret, told)).json()["success"] is True


@pytest.mark.parametrize("tell", [by_segment, by_the_measurement_protocol, by_a_webhook])
async def test_a_till_of_any_make_says_that_no_page_was_bought_on(
    api: Api, tell: Callable[[Api], Awaitable[None]]
) -> None:
    looked = visit(api, ("identified", CUSTOMER), ("cart_added", {"product_id": "tee"}), ago_ms=10 * MINUTE_MS)
    await api.send(looked)
    await tell(api)
    await close(api)
    assert await visits(api) == {looked["session"]: False}
    [sold] = await rows(api, Conversion)
    assert (sold.key, sold.value_minor) == ("T-1", 1250)
    assert await bought(api, UUID(looked["visitor"])) == 1


async def test_an_order_that_says_oddly_whether_it_was_online_is_kept_aside(api: Api) -> None:
    said = {"order_id": "T-1", "total": 12.5, "currency": "EUR", "online": "no"}
    told = {"event": "Order Completed", "messageId": "t", "userId": CUSTOMER["user_id"], "properties": said}
    await api.client.post("/v1/track", auth=(api.secret, ""), json=told)
    assert await rows(api, Conversion) == []
    [refused] = await rows(api, RejectedEvent)
    assert "online" in refused.error


async def test_what_is_sold_at_a_till_ends_what_was_to_win_its_buyer_back(api: Api) -> None:
    left = visit(api, ("identified", CUSTOMER), ("cart_added", {"product_id": "tee"}), ago_ms=3 * HOUR_MS)
    await api.send(left)
    flow = {"name": "recover", "trigger": {"on": "insight"}, "start": "a"}
    steps = {"a": {"do": "wait", "for": "PT9H", "next": "b"}, "b": {"do": "send", "action": "send_email"}}
    at = datetime.now(UTC) - timedelta(hours=2)
    async with api.services.database.transaction(api.project_id) as tx:
        definition = FlowDefinition.model_validate({**flow, "steps": steps})
        await publish(tx, api.project_id, definition, at, {"send_email"}, FIELDS)
        group, visitor = f"session:{left['session']}", UUID(left["visitor"])
        trigger = Trigger("insight", "insight:1", group, visitor, at, {"insight": {}})
        await start_runs(tx, api.project_id, [trigger], at, VisitorKnowledge())
    await sells(api, "pos")
    assert [run.end_reason for run in await rows(api, FlowRun)] == ["converted: order 7"]


async def test_an_order_that_no_page_tells_of_is_no_visit_until_one_does(api: Api) -> None:
    await by_user(api)
    [stands_in] = await rows(api, Session)
    # It is not waited for as a visit is, which may go on.
    assert stands_in.close_at - stands_in.last_received_at == GRACE
    await close(api)
    assert await rows(api, Session) == []
    told = visit(api, ("page_viewed", {}), ("purchased", {"order_id": "A-1"}))
    await api.send(told)
    await close(api)
    assert await visits(api) == {told["session"]: True}
    [sold] = await rows(api, Conversion)
    assert str(sold.session_id) == told["session"]
    assert await bought(api, UUID(told["visitor"])) == 1


async def test_what_a_server_says_puts_the_end_of_a_visit_off_by_nothing(api: Api) -> None:
    await by_user(api)
    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(update(Session).values(close_at=Session.close_at + timedelta(minutes=5)))
        before = await tx.scalar(select(Session.close_at))
    message = {"event": "Order Completed", "userId": "u-1", "messageId": "m", "properties": {"order_id": "A-2"}}
    await api.client.post("/v1/track", auth=(api.write, ""), json=message)
    [stands_in] = await rows(api, Session)
    assert stands_in.close_at == before
    # A page does: somebody came.
    page = {"type": "page", "userId": "u-1", "messageId": "p", "properties": {"path": "/"}}
    await api.client.post("/v1/page", auth=(api.write, ""), json=page)
    [came] = await rows(api, Session)
    assert came.close_at - before > timedelta(minutes=30)
