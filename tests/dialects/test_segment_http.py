"""Segment's HTTP API over the application: keys, shapes, copies, sessions, what is refused and its replay."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from flows.models import Conversion
from insights.events.rejected import list_rejected, replay_rejected
from insights.identity.named import visitors_named
from insights.identity.together import visitors_together
from insights.models import Event, Insight, RejectedEvent, Session
from insights.profiles.rebuild import rebuild
from insights.profiles.rebuild_many import rebuild_many
from tests.api.conftest import SHOP, Api, api

__all__ = ["api"]


def basic(key: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


async def post(api: Api, path: str, body: Any, **options: Any) -> httpx.Response:
    return await api.client.post(path, json=body, headers=basic(api.write), **options)


async def events(api: Api) -> list[Event]:
    async with api.services.database.transaction(api.project_id) as tx:
        return list(await tx.scalars(select(Event).order_by(Event.occurred_at, Event.seq, Event.type)))


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


async def test_each_address_takes_one_message_and_says_success(api: Api) -> None:
    for path, body in {
        "identify": {"userId": "u", "traits": {"email": "a@shop.example"}},
        "track": {"userId": "u", "event": "Products Searched", "properties": {"query": "lamp"}},
        "page": {"userId": "u", "name": "Home"},
        "screen": {"userId": "u", "name": "Home"},
        "group": {"userId": "u", "groupId": "g"},
        "alias": {"userId": "u", "previousId": "before"},
        "t": {"userId": "u", "event": "Anything"},
    }.items():
        answer = await post(api, f"/v1/{path}", body)
        assert (answer.status_code, answer.json()) == (200, {"success": True}), path
    answer = await post(api, "/v1/import", {"batch": [{"type": "track", "userId": "u", "event": "Past"}]})
    assert answer.json() == {"success": True}
    types = [event.type for event in await events(api)]
    assert types.count("custom") == 4
    assert types.count("searched") == types.count("page_viewed") == 1


async def test_a_message_that_comes_again_is_stored_once_wherever_its_time_lies_now(api: Api) -> None:
    message = {"type": "track", "event": "Product Added", "userId": "u", "messageId": "m-1"}
    message["properties"] = {"product_id": "P", "price": 5}  # type: ignore[assignment]
    for _ in range(3):
        # Without a time it is said to happen when it arrives: each copy a little later.
        assert (await post(api, "/v1/batch", {"batch": [message, message]})).json() == {"success": True}
    stored = [event for event in await events(api) if event.type != "identified"]
    assert [event.type for event in stored] == ["cart_added"]


async def test_thirty_minutes_of_silence_make_two_sessions_and_anything_less_makes_one(api: Api) -> None:
    def seen(seconds: float, user: str) -> dict[str, Any]:
        return {"type": "page", "userId": user, "timestamp": ago(seconds), "properties": {"path": f"/{seconds}"}}

    batch = [seen(9000, "a"), seen(9000 - 1799, "a"), seen(100, "a"), seen(0, "a"), seen(9000, "b")]
    assert (await post(api, "/v1/batch", {"batch": batch})).status_code == 200
    # Between the two visits, later told: it belongs to the nearer one.
    assert (await post(api, "/v1/batch", {"batch": [seen(1500, "a")]})).status_code == 200
    pages = [event for event in await events(api) if event.type == "page_viewed"]
    by_path = {event.props["path"]: event.session_id for event in pages if "path" in event.props}
    assert by_path["/100"] == by_path["/0"] == by_path["/1500"] != by_path["/7201"]
    async with api.services.database.transaction(api.project_id) as tx:
        assert len(list(await tx.scalars(select(Session)))) == 3


async def test_a_server_message_joins_the_session_that_the_browser_reports(api: Api) -> None:
    batch = api.batch(api.event("page_viewed"))
    await api.send(batch)
    order = {"anonymousId": batch["visitor"], "event": "Order Completed", "properties": {"order_id": "1", "total": 9}}
    assert (await post(api, "/v1/track", order)).status_code == 200
    assert {str(event.session_id) for event in await events(api)} == {batch["session"]}


@pytest.mark.parametrize("behind_s", [-540, 0, 90, 540, 4000])
async def test_an_order_of_a_client_whose_clock_is_off_comes_after_what_its_buyer_was_shown(
    api: Api, behind_s: int
) -> None:
    batch = api.batch(api.event("page_viewed"))
    await api.send(batch)
    before = datetime.now(UTC)
    clock = ago(behind_s)
    order: dict[str, Any] = {"type": "track", "event": "Order Completed", "properties": {"order_id": "1", "total": 9}}
    order |= {"anonymousId": batch["visitor"], "timestamp": clock}
    assert (await post(api, "/v1/batch", {"batch": [order], "sentAt": clock})).json() == {"success": True}
    async with api.services.database.transaction(api.project_id) as tx:
        bought = await tx.scalar(select(Conversion.occurred_at))
    assert bought is not None
    assert before - timedelta(seconds=1) <= bought <= before + timedelta(seconds=max(0, -behind_s) + 60)


async def test_what_is_passed_on_later_happened_when_it_did(api: Api) -> None:
    """A client that was an hour slow told somebody else two days ago, who tells us now."""
    told = {
        "originalTimestamp": ago(2 * 86_400 + 3_660),
        "sentAt": ago(2 * 86_400 + 3_600),
        "receivedAt": ago(2 * 86_400),
    }
    message = {"type": "track", "userId": "u", "event": "Products Searched", "properties": {"query": "lamp"}} | told
    assert (await post(api, "/v1/batch", {"batch": [message], "sentAt": ago(0)})).json() == {"success": True}
    [searched] = [event for event in await events(api) if event.type == "searched"]
    happened = datetime.now(UTC) - timedelta(days=2, seconds=60)
    assert abs((searched.occurred_at - happened).total_seconds()) < 30


async def test_gzip_and_a_key_in_the_body_are_taken(api: Api) -> None:
    body = gzip.compress(json.dumps({"writeKey": api.write, "userId": "u", "event": "X"}).encode())
    answer = await api.client.post("/v1/track", content=body, headers={"content-encoding": "gzip"})
    assert answer.json() == {"success": True}
    answer = await api.client.post("/v1/track", content=body, headers={"content-encoding": "gzip", "origin": SHOP})
    assert answer.headers["access-control-allow-origin"] == SHOP
    answer = await api.client.post(
        "/v1/track", content=body, headers={"content-encoding": "gzip", "origin": "https://evil.example"}
    )
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch", "/v1/ga4", "/v1/shopify/pixel"])
async def test_a_page_can_read_why_it_is_refused(api: Api, path: str) -> None:
    body = {"userId": "u", "event": "X", "batch": []}
    for key, origin, status in (("wl_w_unknown", SHOP, 401), (api.write, "https://evil.example", 403)):
        answer = await api.client.post(path, params={"key": key}, json=body, headers={"origin": origin})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-expose-headers"] == "retry-after"


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"[" * 5000, 400), (b"[]", 400), (b'"x"', 400), (b"\xff", 400), (b"{}", 200)]
)
async def test_what_is_no_message_is_a_problem_and_never_a_failure(api: Api, body: bytes, status: int) -> None:
    answer = await api.client.post("/v1/track", content=body, headers=basic(api.write))
    assert answer.status_code == status


async def test_wrong_keys_and_bodies_that_are_too_large_are_refused(api: Api) -> None:
    message = {"userId": "u", "event": "X"}
    for headers in ({}, basic("wl_w_unknown"), {"authorization": "Basic %%%"}):
        answer = await api.client.post("/v1/track", json=message, headers=headers)
        assert answer.status_code == 401
    limit = api.services.settings.max_body_bytes
    answer = await post(api, "/v1/track", {**message, "properties": {"x": "y" * limit}})
    assert answer.status_code == 413
    answer = await post(api, "/v1/batch", {"batch": [{}] * 2501})
    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/v1/track", "/v1/ga4", "/v1/shopify/pixel"])
async def test_who_sends_no_key_is_told_of_a_way_that_a_page_has(api: Api, path: str) -> None:
    answer = await api.client.post(path, json={"event": "X", "client_id": "1.2", "clientId": "c", "userId": "u"})
    assert (answer.status_code, "?key=wl_w_…" in answer.json()["detail"]) == (401, True)
    told = await api.client.post(path, params={"key": api.write}, json={"event": "X", "client_id": "1.2"})
    assert told.status_code == 200


async def test_a_refused_message_is_named_kept_and_can_be_replayed(api: Api) -> None:
    batch = [
        {"type": "track", "userId": "u", "event": "Product Viewed", "properties": {"product_id": "P", "price": "dear"}},
        {"type": "track", "userId": "u", "event": "Fine"},
        {"type": "page"},
        "nonsense",
    ]
    answer = (await post(api, "/v1/batch", {"batch": batch, "sentAt": ago(0)})).json()
    assert answer["success"] is True
    assert [(item["index"], item["error"].partition(":")[0]) for item in answer["rejected"]] == [
        (0, "properties.price"),
        (2, "userId"),
        (3, "message"),
    ]
    services = api.services
    kept = await list_rejected(services.database, api.project_id, 10)
    assert len(kept) == 3
    [dear] = [row for row in kept if b"dear" in row.raw]
    async with services.database.transaction(api.project_id) as tx:
        # Mended: as whoever corrects the price in the row would.
        mended = dear.raw.replace(b'"dear"', b'"3.50"')
        await tx.execute(update(RejectedEvent).where(RejectedEvent.id == dear.id).values(raw=mended))
    replayed = [
        outcome
        async for outcome in replay_rejected(
            services.database, services.recorder, services.reception, api.project_id, services.limits
        )
    ]
    assert [outcome.id for outcome in replayed if outcome.error is None] == [dear.id]
    viewed = [event for event in await events(api) if event.type == "product_viewed"]
    assert [event.props["price_minor"] for event in viewed] == [350]
    assert len(await list_rejected(services.database, api.project_id, 10)) == 2


async def close(api: Api) -> None:
    """Has every session looked at that is open."""
    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(update(Session).where(Session.closed_at.is_(None)).values(close_at=datetime.now(UTC)))
    while await api.services.closer.close_due():
        pass


async def test_a_server_that_says_who_its_customers_are_brings_nobody_to_the_shop(api: Api) -> None:
    """As a CRM does every night: each was a visit that had left, for no reason that anybody could see."""
    told = {"type": "identify", "userId": "ada", "traits": {"email": "ada@shop.example"}}
    batch = [told, {"type": "group", "userId": "ada", "groupId": "gold"}, {**told, "userId": "bob"}]
    batch.append({"type": "page", "userId": "bob", "properties": {"path": "/"}})
    assert (await post(api, "/v1/batch", {"batch": batch})).json() == {"success": True}
    await close(api)
    async with api.services.database.transaction(api.project_id) as tx:
        [visit] = (await tx.scalars(select(Session))).all()
        assert list(await tx.scalars(select(Insight.session_id))) == [visit.id]
        [ada] = await visitors_named(tx, api.project_id, user_id="ada")
        profile = await rebuild(tx, api.project_id, ada)
        many = await rebuild_many(tx, api.project_id, {ada: {ada}})
    # Who comes is known, and comes for the first time.
    assert (profile.has_email, profile.sessions) == (True, 0)
    assert many == {ada: profile}
    assert {event.type for event in await events(api) if event.visitor_id == ada} == {"identified", "custom"}
    await post(api, "/v1/page", {"userId": "ada", "properties": {"path": "/"}})
    await close(api)
    async with api.services.database.transaction(api.project_id) as tx:
        assert len(list(await tx.scalars(select(Session.id)))) == 2
        assert (await rebuild(tx, api.project_id, ada)).sessions == 1


async def test_who_somebody_is_may_stand_in_the_context(api: Api) -> None:
    """As RudderStack's clients for servers say it."""
    context = {"traits": {"email": "ada@shop.example"}}
    await post(api, "/v1/identify", {"userId": "u", "context": context, "traits": {"phone": "+491701234567"}})
    [visitor] = {event.visitor_id for event in await events(api)}
    told = (await api.client.get(f"/v1/visitors/{visitor}", headers=api.headers)).json()
    assert {name["kind"] for name in told["identifiers"]} == {"user_id", "email", "phone"}


async def test_a_page_may_send_the_headers_that_it_asks_for(api: Api) -> None:
    """RudderStack's script for pages sends headers of its own."""
    asked = "anonymousid,authorization,content-type,rsa-since-last-attempt"
    headers = {"origin": SHOP, "access-control-request-method": "POST", "access-control-request-headers": asked}
    for path in ("/v1/track", "/v1/batch", "/v1/t", "/v1/ga4"):
        answer = await api.client.options(path, headers=headers)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, SHOP)
        assert answer.headers["access-control-allow-headers"] == asked
        assert "access-control-allow-credentials" not in answer.headers


async def test_a_referrer_of_rudderstack_that_is_none_is_none(api: Api) -> None:
    page = {"path": "/", "referrer": "$direct", "url": "https://shop.example/"}
    await post(api, "/v1/page", {"anonymousId": "a", "properties": page, "context": {"page": page}})
    [event] = await events(api)
    assert (event.props["path"], "referrer" in event.props) == ("/", False)


async def test_a_refund_needs_a_key_that_stands_in_no_page(api: Api) -> None:
    refund = {"userId": "u", "event": "Order Refunded", "properties": {"order_id": "1", "total": 9}}
    answer = (await post(api, "/v1/track", refund)).json()
    assert "secret key" in answer["rejected"][0]["error"]


async def test_an_alias_joins_what_was_anonymous_with_what_servers_know(api: Api) -> None:
    await post(api, "/v1/track", {"anonymousId": "phone", "event": "Product Viewed", "properties": {"product_id": "P"}})
    await post(api, "/v1/track", {"userId": "u9", "event": "Logged In"})
    await post(api, "/v1/alias", {"previousId": "phone", "userId": "u9"})
    async with api.services.database.transaction(api.project_id) as tx:
        visitors = {event.visitor_id for event in await tx.scalars(select(Event))}
        assert len(visitors) == 2
        together = await visitors_together(tx, api.project_id, visitors)
    assert set(together.values()) == {tuple(sorted(visitors))}


async def test_who_somebody_is_is_said_once_a_session_however_many_messages_say_it(api: Api) -> None:
    for _ in range(3):
        await post(api, "/v1/batch", {"batch": [{"type": "page", "anonymousId": "a", "userId": "u"}] * 3})
    types = [event.type for event in await events(api)]
    assert (types.count("identified"), types.count("page_viewed")) == (1, 9)
