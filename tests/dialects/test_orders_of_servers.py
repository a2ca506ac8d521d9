"""An order is placed once, in one visit: whoever tells of it, in whatever order, and however often."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from flows.definition import FlowDefinition
from flows.models import Conversion, FlowRun
from flows.ports import Trigger
from flows.starting import start_runs
from flows.store import publish
from insights.conditions.fields import FIELDS
from insights.events.dialects.names import TABS
from insights.events.reception import DIALECTS
from insights.identity.together import person_of
from insights.models import Event, IdentityLink, Session
from insights.profiles.rebuild import rebuild
from insights.segments.knowledge import VisitorKnowledge
from insights.timeline.read import read_timeline
from insights.vocabulary.ids import uuid7
from tests.api.conftest import Api, api
from tests.dialects.test_segment_http import close

__all__ = ["api"]

WORTH = {"order_id": "A-1", "value_minor": 1250, "currency": "EUR"}
HOUR_MS = 3_600_000
Tell = Callable[..., Awaitable[None]]


async def segment(api: Api, *, key: str | None = None, **message: Any) -> None:
    told = {"messageId": str(uuid4()), "event": "Order Completed", **message}
    told["properties"] = {"order_id": "A-1", "total": 12.5, "currency": "EUR"}
    answer = await api.client.post("/v1/track", auth=(key or api.write, ""), json=told)
    assert answer.json() == {"success": True}


async def by_user(api: Api) -> None:
    await segment(api, userId="u-1")


async def by_another_device(api: Api) -> None:
    await segment(api, anonymousId="server-1")


async def by_the_measurement_protocol(api: Api) -> None:
    params = {"transaction_id": "A-1", "value": 12.5, "currency": "EUR"}
    body = {"client_id": "12.34", "events": [{"name": "purchase", "params": params}]}
    assert (await api.client.post("/v1/ga4", params={"api_secret": api.write}, json=body)).json() == {"success": True}


def visit(api: Api, *events: tuple[str, dict[str, Any]], ago_ms: int = 0, **other: Any) -> dict[str, Any]:
    """A page's batch about a visit that began ``ago_ms`` ago."""
    at = int(time.time() * 1000) - ago_ms
    said = [{**api.event(type, props), "id": str(uuid7(at + n)), "t": at + n} for n, (type, props) in enumerate(events)]
    return api.batch(*said, **{"session": str(uuid7(at)), **other})


async def rows(api: Api, table: Any) -> list[Any]:
    async with api.services.database.transaction(api.project_id) as tx:
        return list(await tx.scalars(select(table)))


async def visits(api: Api) -> dict[str, bool]:
    """Session → whether it bought, by its row and by its timeline, which agree."""
    found = {}
    async with api.services.database.transaction(api.project_id) as tx:
        for session in (await tx.scalars(select(Session))).all():
            events = (await read_timeline(tx, api.project_id, session.id)).events
            found[str(session.id)] = bool(session.purchased)
            assert any(event.type == "purchased" for event in events) == bool(session.purchased)
    return found


def test_the_events_of_all_dialects_can_be_told_from_a_pages() -> None:
    assert set(TABS) == set(DIALECTS)


@pytest.mark.parametrize("tell", [by_user, by_another_device, by_the_measurement_protocol])
@pytest.mark.parametrize("first", ["page", "server"])
@pytest.mark.parametrize("props", [WORTH, {"order_id": "A-1"}])
async def test_an_order_that_the_page_and_a_server_tell_of_is_one_visit(
    api: Api, tell: Tell, first: str, props: dict[str, Any]
) -> None:
    batch = visit(api, ("page_viewed", {}), ("purchased", props))
    if first == "page":
        await api.send(batch)
        await tell(api)
    else:
        await tell(api)
        await api.send(batch)
    # Once more, by whoever tries again.
    await tell(api)
    assert await visits(api) == {batch["session"]: True}
    [order] = await rows(api, Conversion)
    assert (str(order.visitor_id), str(order.session_id)) == (batch["visitor"], batch["session"])
    assert (order.value_minor, order.currency) == (1250, "EUR")
    async with api.services.database.transaction(api.project_id) as tx:
        profile = await rebuild(tx, api.project_id, UUID(batch["visitor"]))
    assert (profile.sessions, profile.purchases, profile.bought) == (1, 1, True)


async def test_a_server_names_a_known_customer_and_the_order_is_their_visits(api: Api) -> None:
    batch = visit(api, ("identified", {"user_id": "u-1"}), ("cart_added", {"product_id": "mug"}))
    other = visit(api, ("identified", {"user_id": "u-2"}), ("page_viewed", {}))
    long_ago = visit(api, ("identified", {"user_id": "u-1"}), ("page_viewed", {}), ago_ms=2 * HOUR_MS)
    for each in (batch, other, long_ago):
        await api.send(each)
    await segment(api, userId="u-1", anonymousId="of-the-server")
    assert await visits(api) == {batch["session"]: True, other["session"]: False, long_ago["session"]: False}
    [order] = await rows(api, Conversion)
    assert str(order.visitor_id) == batch["visitor"]


async def test_a_device_that_is_here_itself_goes_before_the_customers_others(api: Api) -> None:
    phone = visit(api, ("identified", {"user_id": "u-1"}), ("page_viewed", {}))
    laptop = visit(api, ("page_viewed", {}), ago_ms=60_000)
    for each in (phone, laptop):
        await api.send(each)
    await segment(api, userId="u-1", anonymousId=laptop["visitor"])
    assert await visits(api) == {phone["session"]: False, laptop["session"]: True}


async def test_an_order_of_nobody_who_is_known_is_a_visit_of_its_own(api: Api) -> None:
    other = visit(api, ("identified", {"user_id": "u-2"}), ("page_viewed", {}))
    await api.send(other)
    await by_user(api)
    found = await visits(api)
    assert (len(found), found[other["session"]], sum(found.values())) == (2, False, 1)


@pytest.mark.parametrize("trusted", [False, True])
async def test_only_a_server_that_proves_itself_says_who_placed_an_order(api: Api, trusted: bool) -> None:
    batch = visit(api, ("page_viewed", {}), ("purchased", WORTH))
    await api.send(batch)
    await segment(api, key=api.secret if trusted else api.write, userId="u-1")
    assert [link.subject for link in await rows(api, IdentityLink)] == [batch["visitor"]] * trusted


@pytest.mark.parametrize("device", ["write", "secret"])
@pytest.mark.parametrize("server", ["write", "secret"])
@pytest.mark.parametrize("late", [False, True])
async def test_a_clients_page_that_tells_after_the_server_is_the_orders_visit(
    api: Api, device: str, server: str, late: bool
) -> None:
    """Segment's own script in the page, and the shop's server, which was faster and knows no device."""
    page = {"type": "page", "anonymousId": "d-1", "messageId": "p", "properties": {"path": "/"}}
    await api.client.post("/v1/page", auth=(api.write, ""), json=page)
    await segment(api, userId="u-1", key=getattr(api, server))
    if late:
        await close(api)
    for _ in range(2):
        await segment(api, userId="u-1", anonymousId="d-1", key=getattr(api, device))
    await close(api)
    assert list((await visits(api)).values()) == [True]
    [session] = await rows(api, Session)
    [sold] = await rows(api, Conversion)
    assert (sold.session_id, sold.value_minor, sold.by_server) == (session.id, 1250, "secret" in (device, server))
    profiles = [event.visitor_id for event in await rows(api, Event) if event.type == "page_viewed"]
    async with api.services.database.transaction(api.project_id) as tx:
        assert (await rebuild(tx, api.project_id, profiles[0])).purchases == 1


async def test_a_servers_old_orders_find_their_visits_in_whatever_order_they_are_told(api: Api) -> None:
    """A back-fill: the order by its customer, then the visit, then the order again with its device."""
    at = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    await segment(api, userId="u-1", key=api.secret, timestamp=at)
    await close(api)
    page = {"type": "page", "anonymousId": "d-1", "messageId": "p", "timestamp": at, "properties": {"path": "/"}}
    await api.client.post("/v1/page", auth=(api.secret, ""), json=page)
    await segment(api, userId="u-1", anonymousId="d-1", key=api.secret, timestamp=at)
    await close(api)
    assert list((await visits(api)).values()) == [True]
    [sold] = await rows(api, Conversion)
    assert [sold.session_id] == [session.id for session in await rows(api, Session)]


async def test_a_clients_page_that_names_anothers_order_of_another_day_did_not_buy(api: Api) -> None:
    await segment(api, userId="u-1", key=api.secret, timestamp=(datetime.now(UTC) - timedelta(days=3)).isoformat())
    page = {"type": "page", "anonymousId": "d-9", "messageId": "p", "properties": {"path": "/"}}
    await api.client.post("/v1/page", auth=(api.write, ""), json=page)
    await segment(api, anonymousId="d-9")
    await close(api)
    assert list((await visits(api)).values()) == [False]


async def test_whoever_a_server_says_bought_is_written_to_no_more_whosever_page_told_of_it(api: Api) -> None:
    phone = visit(api, ("identified", {"user_id": "u-1"}), ("page_viewed", {}), ago_ms=3 * HOUR_MS)
    laptop = visit(api, ("page_viewed", {}), ("purchased", WORTH))
    flow = {"name": "recover", "trigger": {"on": "insight"}, "start": "a"}
    steps = {"a": {"do": "wait", "for": "PT1H", "next": "b"}, "b": {"do": "send", "action": "send_email"}}
    left, now = UUID(phone["visitor"]), datetime.now(UTC)
    await api.send(phone)
    async with api.services.database.transaction(api.project_id) as tx:
        definition = FlowDefinition.model_validate({**flow, "steps": steps})
        await publish(tx, api.project_id, definition, now, {"send_email"}, FIELDS)
        trigger = Trigger("insight", "insight:1", f"session:{phone['session']}", left, now, {"insight": {}})
        await start_runs(tx, api.project_id, [trigger], now, VisitorKnowledge())
    await api.send(laptop)
    assert [run.status for run in await rows(api, FlowRun)] == ["waiting"]
    await by_user(api)
    assert [run.end_reason for run in await rows(api, FlowRun)] == ["converted: order A-1"]


@pytest.mark.parametrize("late", ["first", "second"])
async def test_a_page_that_tells_of_its_order_again_another_day_bought_nothing(api: Api, late: str) -> None:
    bought = visit(api, ("page_viewed", {}), ("purchased", WORTH), ago_ms=20 * HOUR_MS)
    again = visit(api, ("page_viewed", {}), ("purchased", WORTH), visitor=bought["visitor"])
    # What arrives first is not what happened first.
    for each in (bought, again) if late == "second" else (again, bought):
        await api.send(each)
    assert await visits(api) == {bought["session"]: True, again["session"]: False}
    [order] = await rows(api, Conversion)
    assert str(order.session_id) == bought["session"]


async def test_nobody_takes_an_order_from_another_visitor_by_its_number(api: Api) -> None:
    bought = visit(api, ("page_viewed", {}), ("purchased", WORTH))
    guessed = visit(api, ("page_viewed", {}), ("purchased", WORTH), ago_ms=HOUR_MS)
    for each in (bought, guessed):
        await api.send(each)
    assert await visits(api) == {bought["session"]: True, guessed["session"]: True}
    [order] = await rows(api, Conversion)
    assert str(order.visitor_id) == bought["visitor"]


async def test_an_order_of_a_customer_with_other_devices_stays_theirs_whatever_page_tells(
    api: Api,
) -> None:
    # Whoever left something on the phone is not written to: they bought.
    phone = visit(api, ("identified", {"user_id": "u-1"}), ("page_viewed", {}), ago_ms=3 * HOUR_MS)
    await api.send(phone)
    await by_user(api)
    laptop = visit(api, ("page_viewed", {}), ("purchased", WORTH))
    await api.send(laptop)
    assert await visits(api) == {phone["session"]: False, laptop["session"]: True}
    [order] = await rows(api, Conversion)
    async with api.services.database.transaction(api.project_id) as tx:
        assert UUID(phone["visitor"]) in await person_of(tx, api.project_id, order.visitor_id)


async def test_a_visit_with_a_second_order_bought_whatever_it_says_of_the_first(api: Api) -> None:
    bought = visit(api, ("page_viewed", {}), ("purchased", WORTH), ago_ms=20 * HOUR_MS)
    await api.send(bought)
    another = ("purchased", {"order_id": "A-2"})
    again = visit(api, ("page_viewed", {}), another, ("purchased", WORTH), visitor=bought["visitor"])
    await api.send(again)
    assert await visits(api) == {bought["session"]: True, again["session"]: True}


async def test_a_visit_that_a_server_made_of_two_orders_stays_for_the_one_that_no_page_told_of(api: Api) -> None:
    await by_user(api)
    answer = await api.client.post(
        "/v1/track",
        auth=(api.write, ""),
        json={"event": "Order Completed", "userId": "u-1", "properties": {"order_id": "A-2"}, "messageId": "m"},
    )
    assert answer.status_code == 200
    batch = visit(api, ("page_viewed", {}), ("purchased", WORTH))
    await api.send(batch)
    found = await visits(api)
    assert (len(found), list(found.values())) == (2, [True, True])


async def test_orders_told_by_everybody_at_once_count_once_each(api: Api) -> None:
    batches = [
        visit(api, ("page_viewed", {}), ("purchased", {**WORTH, "order_id": f"A-{number}"})) for number in range(8)
    ]

    async def server(number: int) -> None:
        told = {"messageId": str(uuid4()), "event": "Order Completed", "userId": f"u-{number}"}
        told["properties"] = {"order_id": f"A-{number}", "total": 12.5, "currency": "EUR"}  # type: ignore[assignment]
        assert (await api.client.post("/v1/track", auth=(api.write, ""), json=told)).json() == {"success": True}

    await asyncio.gather(*(api.send(batch) for batch in batches), *(server(number % 8) for number in range(24)))
    assert await visits(api) == {batch["session"]: True for batch in batches}
    assert {str(order.session_id) for order in await rows(api, Conversion)} == {one["session"] for one in batches}
    assert len([event for event in await rows(api, Event) if event.type == "page_viewed"]) == 8
