"""Numbers of orders can be guessed, and the public key stands in every page: what whoever guesses them can change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from flows.models import Conversion
from insights.models import IdentityLink, Session
from tests.api.conftest import Api, api
from tests.dialects.test_orders_of_servers import HOUR_MS, rows, visit, visits
from tests.sources.senders import SECRET, generic, make, order, shopify

__all__ = ["api"]

ADA = "ada@shop.example"
TEN_MINUTES = timedelta(minutes=10)
Tell = Callable[[Api, datetime], Awaitable[None]]


async def by_generic_webhook(api: Api, at: datetime) -> None:
    path, secret = await make(api, "generic")
    data = {"order_id": "1001", "email": ADA, "value_minor": 4000, "currency": "EUR"}
    told = {"type": "purchased", "timestamp": at.isoformat(), "data": data}
    assert (await generic(api, path, secret, told)).json().get("rejected") is None


async def by_shopify(api: Api, at: datetime) -> None:
    path, _ = await make(api, "shopify", SECRET)
    customer = {"id": 7, "email": ADA}
    document = order(1001, created_at=at.isoformat(), email=ADA, customer=customer, total_price="40.00")
    assert (await shopify(api, path, "orders/create", document)).get("rejected") is None


async def by_segment(api: Api, at: datetime) -> None:
    told = {"messageId": str(uuid4()), "event": "Order Completed", "userId": "ada", "timestamp": at.isoformat()}
    properties = {"order_id": "1001", "total": 40, "currency": "EUR", "email": ADA}
    answer = await api.client.post("/v1/track", auth=(api.secret, ""), json={**told, "properties": properties})
    assert answer.json() == {"success": True}


async def by_events(api: Api, at: datetime) -> None:
    batch = visit(api, ("identified", {"email": ADA}), ("purchased", {**PLACED, "value_minor": 4000}))
    assert (await api.client.post("/v1/events", headers=api.headers, json=batch)).status_code == 200


PLACED = {"order_id": "1001", "currency": "EUR"}
SERVERS = [by_generic_webhook, by_shopify, by_segment, by_events]


async def placed(api: Api) -> Conversion:
    [conversion] = await rows(api, Conversion)
    assert isinstance(conversion, Conversion)
    return conversion


async def age(api: Api, visitor: str, by: timedelta) -> None:
    """As if the visitor had told of their order so much earlier."""
    async with api.services.database.transaction(api.project_id) as tx:
        statement = text("UPDATE order_claim SET told_at = told_at - :by WHERE visitor_id = :visitor")
        await tx.execute(statement, {"by": by, "visitor": UUID(visitor)})


@pytest.mark.parametrize("tell", SERVERS)
async def test_a_number_that_was_made_up_beforehand_takes_nothing_from_the_real_order(api: Api, tell: Tell) -> None:
    made_up = visit(api, ("page_viewed", {}), ("purchased", {**PLACED, "value_minor": 1}))
    await api.send(made_up)
    await tell(api, datetime.now(UTC) + TEN_MINUTES)
    real = await placed(api)
    assert (real.value_minor, real.currency, real.by_server) == (4000, "EUR", True)
    assert str(real.visitor_id) != made_up["visitor"]
    assert str(real.session_id) != made_up["session"]
    # Nor is whoever guessed it taken for the customer.
    named = {link.subject for link in await rows(api, IdentityLink) if link.subject_kind == "visitor"}
    assert made_up["visitor"] not in named
    assert (await visits(api))[str(real.session_id)]


@pytest.mark.parametrize("tell", [by_generic_webhook, by_shopify, by_segment])
async def test_the_page_that_the_order_was_placed_on_is_found_among_those_that_claim_it(api: Api, tell: Tell) -> None:
    made_up = visit(api, ("page_viewed", {}), ("purchased", {**PLACED, "value_minor": 1}))
    real = visit(api, ("page_viewed", {}), ("purchased", PLACED))
    await api.send(made_up)
    await age(api, made_up["visitor"], TEN_MINUTES)
    await api.send(real)
    await tell(api, datetime.now(UTC))
    found = await placed(api)
    assert (str(found.visitor_id), str(found.session_id)) == (real["visitor"], real["session"])
    assert found.value_minor == 4000


@pytest.mark.parametrize("tell", [by_generic_webhook, by_shopify, by_segment])
async def test_of_several_visitors_who_say_so_at_the_time_of_an_order_none_is_believed(api: Api, tell: Tell) -> None:
    both = [visit(api, ("page_viewed", {}), ("purchased", PLACED)) for _ in range(2)]
    for one in both:
        await api.send(one)
    await tell(api, datetime.now(UTC) - timedelta(minutes=2))
    assert str((await placed(api)).visitor_id) not in {one["visitor"] for one in both}
    assert all((await visits(api)).values())


@pytest.mark.parametrize("tell", [by_generic_webhook, by_shopify])
async def test_the_customer_is_believed_whoever_else_says_so(api: Api, tell: Tell) -> None:
    theirs = visit(api, ("identified", {"email": ADA}), ("purchased", PLACED))
    other = visit(api, ("page_viewed", {}), ("purchased", PLACED))
    for one in (other, theirs):
        await api.send(one)
    await tell(api, datetime.now(UTC) - timedelta(minutes=2))
    found = await placed(api)
    assert (str(found.visitor_id), str(found.session_id)) == (theirs["visitor"], theirs["session"])


@pytest.mark.parametrize("tell", SERVERS)
async def test_what_an_order_came_to_a_server_knows_better_than_a_page(api: Api, tell: Tell) -> None:
    # A minute ago, by our clock: so the page told of it after it was placed.
    batch = visit(api, ("identified", {"email": ADA}), ("purchased", {**PLACED, "value_minor": 999_999_900}))
    await api.send(batch)
    await tell(api, datetime.now(UTC) - timedelta(minutes=1))
    assert (await placed(api)).value_minor == 4000


@pytest.mark.parametrize("tell", SERVERS)
async def test_no_page_takes_over_the_order_of_a_server_by_its_number(api: Api, tell: Tell) -> None:
    # Two minutes old: such a webhook does not wait for the page.
    await tell(api, datetime.now(UTC) - timedelta(minutes=2))
    before = await placed(api)
    guessed = visit(api, ("page_viewed", {}), ("purchased", {**PLACED, "value_minor": 1}))
    await api.send(guessed)
    after = await placed(api)
    assert (after.visitor_id, after.value_minor) == (before.visitor_id, 4000)


async def test_a_page_of_an_order_that_its_server_told_first_is_the_orders_one_visit(api: Api) -> None:
    await by_generic_webhook(api, datetime.now(UTC) - timedelta(minutes=2))
    batch = visit(api, ("page_viewed", {}), ("purchased", PLACED))
    await api.send(batch)
    assert await visits(api) == {batch["session"]: True}


async def test_one_visit_stands_in_for_no_more_than_one_order_of_a_server(api: Api) -> None:
    path, secret = await make(api, "generic")
    at = (datetime.now(UTC) - timedelta(minutes=2)).isoformat()
    for number in range(4):
        data = {"order_id": f"A-{number}", "user_id": f"u-{number}"}
        await generic(api, path, secret, {"type": "purchased", "timestamp": at, "data": data})
    guessed = visit(api, ("page_viewed", {}), *(("purchased", {"order_id": f"A-{n}"}) for n in range(4)))
    await api.send(guessed)
    # Else all four orders were one visit, and fewer visits had bought than did.
    assert sum((await visits(api)).values()) == 5


async def test_a_page_that_tells_days_later_takes_no_visit(api: Api) -> None:
    await by_generic_webhook(api, datetime.now(UTC) - timedelta(days=3))
    await api.send(visit(api, ("page_viewed", {}), ("purchased", PLACED)))
    assert len(await rows(api, Session)) == 2


async def test_who_proves_to_be_the_customer_has_the_visit_whenever_they_tell(api: Api) -> None:
    await by_generic_webhook(api, datetime.now(UTC) - timedelta(days=3))
    batch = visit(api, ("identified", {"email": ADA}), ("purchased", PLACED))
    await api.send(batch)
    assert await visits(api) == {batch["session"]: True}


async def test_no_page_of_another_visitor_says_what_the_order_of_a_server_came_to(api: Api) -> None:
    path, secret = await make(api, "generic")
    at = (datetime.now(UTC) - timedelta(minutes=2)).isoformat()
    silent = {"type": "purchased", "timestamp": at, "data": {"order_id": "A-1", "user_id": "u"}}
    await generic(api, path, secret, silent)
    worth = {"order_id": "A-1", "value_minor": 999_999_900, "currency": "EUR"}
    await api.send(visit(api, ("page_viewed", {}), ("purchased", worth), ago_ms=HOUR_MS))
    assert (await placed(api)).value_minor is None


async def test_a_page_that_calls_its_tab_like_a_dialect_is_a_page(api: Api) -> None:
    bought = visit(api, ("purchased", PLACED))
    await api.send(bought)
    posing = visit(api, ("purchased", PLACED), tab="segment")
    await api.send(posing)
    # What a server alone says of an order is no visit; a page cannot have its visits taken for that.
    assert await visits(api) == {bought["session"]: True, posing["session"]: True}
