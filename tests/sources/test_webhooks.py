"""Webhooks in: who is believed, what each says, what a copy does."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select, text
from standardwebhooks.webhooks import Webhook

from flows.models import Conversion, Suppression
from insights.events.rejected import list_rejected, replay_rejected
from insights.models import Event, Session, Visitor, WebhookSource
from insights.sources import store
from tests.api.conftest import Api, api

__all__ = ["api"]

SECRET = "shpss_0123456789abcdef"


async def make(api: Api, provider: str, secret: str | None = None) -> tuple[str, str]:
    """Path and secret of a new source."""
    answer = await api.client.post(
        "/v1/sources", headers=api.headers, json={"provider": provider, "name": "x", "secret": secret}
    )
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return httpx.URL(made["url"]).path, secret or made["secret"]


def signed(body: bytes, topic: str, secret: str = SECRET, webhook_id: str | None = None) -> dict[str, str]:
    return {
        "x-shopify-hmac-sha256": base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode(),
        "x-shopify-topic": topic,
        "x-shopify-webhook-id": webhook_id or str(uuid4()),
        "content-type": "application/json",
    }


async def shopify(api: Api, path: str, topic: str, document: Any, webhook_id: str | None = None) -> dict[str, Any]:
    body = json.dumps(document).encode()
    answer = await api.client.post(path, content=body, headers=signed(body, topic, webhook_id=webhook_id))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def rows(api: Api, table: Any) -> list[Any]:
    async with api.services.database.transaction(api.project_id) as tx:
        return list(await tx.scalars(select(table)))


def order(number: int = 820982911946154500, **other: Any) -> dict[str, Any]:
    return {
        "id": number,
        "name": "#1001",
        "email": "jon@shop.example",
        "created_at": (datetime.now(UTC) - timedelta(minutes=2)).isoformat(),
        "currency": "EUR",
        "total_price": "409.94",
        "line_items": [{"product_id": 7, "variant_id": 8, "title": "Tee", "quantity": 2, "price": "204.97"}],
        "customer": {"id": 115310627314723950, "email": "jon@shop.example"},
        **other,
    }


async def test_an_order_that_no_page_told_of_becomes_a_purchase_of_the_customer(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    subscribed = {**order()["customer"], "email_marketing_consent": {"state": "subscribed"}}
    assert await shopify(api, path, "orders/create", order(customer=subscribed)) == {
        "success": True,
        "repeated": False,
        "ignored": 0,
    }
    # The same order, told of by another topic.
    await shopify(api, path, "orders/paid", order())
    bought = [event for event in await rows(api, Event) if event.type == "purchased"]
    assert [(event.props["order_id"], event.props["value_minor"]) for event in bought] == [
        ("820982911946154500", 40994)
    ]
    [visitor] = await rows(api, Visitor)
    assert (visitor.user_id, visitor.email) == ("115310627314723950", "jon@shop.example")
    assert visitor.consent == {"marketing": True, "channels": ["email"]}


async def test_an_order_that_the_page_told_of_is_not_told_again_and_names_its_buyer(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    batch = api.batch(api.event("purchased", {"order_id": "5", "value_minor": 900, "currency": "EUR"}))
    await api.send(batch)
    await shopify(api, path, "orders/create", order(5))
    assert [event.type for event in await rows(api, Event)].count("purchased") == 1
    [visitor] = await rows(api, Visitor)
    assert (str(visitor.id), visitor.email) == (batch["visitor"], "jon@shop.example")
    [session] = await rows(api, Session)
    assert str(session.id) == batch["session"]


async def test_a_webhook_that_is_faster_than_the_page_lets_the_page_tell(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    batch = api.batch(api.event("purchased", {"order_id": "78", "value_minor": 900, "currency": "EUR"}))
    hook = asyncio.create_task(shopify(api, path, "orders/create", order(78, created_at=datetime.now(UTC).isoformat())))
    await asyncio.sleep(0.2)
    await api.send(batch)
    await hook
    assert [str(event.visitor_id) for event in await rows(api, Event) if event.type == "purchased"] == [
        batch["visitor"]
    ]
    [conversion] = await rows(api, Conversion)
    assert str(conversion.visitor_id) == batch["visitor"]


async def test_an_order_that_the_page_called_by_its_long_name_is_the_same_order(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    long = "gid://shopify/OrderIdentity/77"
    await api.send(api.batch(api.event("purchased", {"order_id": long, "value_minor": 900, "currency": "EUR"})))
    await shopify(api, path, "orders/create", order(77))
    transactions = [{"kind": "refund", "status": "success", "amount": "9", "currency": "EUR"}]
    await shopify(api, path, "refunds/create", {"id": 1, "order_id": 77, "transactions": transactions})
    assert [conversion.key for conversion in await rows(api, Conversion)] == [long]
    assert [e.props["order_id"] for e in await rows(api, Event) if e.type == "refunded"] == [long]


async def test_a_cart_that_carries_the_visitor_is_theirs(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    batch = api.batch(api.event("page_viewed"))
    await api.send(batch)
    attributes = [
        {"name": "_whyleft_visitor", "value": batch["visitor"]},
        {"name": "_whyleft_session", "value": batch["session"]},
    ]
    await shopify(api, path, "orders/create", order(6, note_attributes=attributes))
    [bought] = [event for event in await rows(api, Event) if event.type == "purchased"]
    assert (str(bought.visitor_id), str(bought.session_id)) == (batch["visitor"], batch["session"])


async def test_a_refund_goes_to_whoever_bought_and_opens_no_visit(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    await shopify(api, path, "orders/create", order(7))
    [before] = await rows(api, Session)
    refund = {
        "id": 1,
        "order_id": 7,
        "created_at": (datetime.now(UTC) + timedelta(hours=2)).isoformat(),
        "transactions": [
            {"kind": "refund", "status": "success", "amount": "100.00", "currency": "EUR"},
            {"kind": "refund", "status": "failure", "amount": "309.94", "currency": "EUR"},
        ],
    }
    for _ in range(2):
        await shopify(api, path, "refunds/create", refund)
    [told] = [event for event in await rows(api, Event) if event.type == "refunded"]
    assert told.props == {"order_id": "7", "refund_id": "1", "value_minor": 10000, "currency": "EUR"}
    [conversion] = await rows(api, Conversion)
    assert told.visitor_id == conversion.visitor_id
    [after] = await rows(api, Session)
    assert (after.id, after.last_event_at, after.close_at) == (before.id, before.last_event_at, before.close_at)
    # Nothing given back: nothing told.
    await shopify(api, path, "refunds/create", {**refund, "id": 2, "transactions": []})
    assert len([event for event in await rows(api, Event) if event.type == "refunded"]) == 1


async def test_a_refund_that_is_under_way_is_one_for_shopify_tells_of_it_once(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    await shopify(api, path, "orders/create", order(7))
    transactions = [{"kind": "refund", "status": "pending", "amount": "100.00", "currency": "EUR"}]
    await shopify(api, path, "refunds/create", {"id": 1, "order_id": 7, "transactions": transactions})
    [told] = [event for event in await rows(api, Event) if event.type == "refunded"]
    assert (told.props["value_minor"], told.props["currency"]) == (10000, "EUR")


async def test_an_order_of_many_products_with_long_names_is_an_order(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    lines = [{"product_id": n, "title": "Чайник " * 36, "quantity": 1, "price": "1.00"} for n in range(300)]
    told = await shopify(api, path, "orders/create", order(7, line_items=lines, total_price="300.00"))
    assert "rejected" not in told
    [conversion] = await rows(api, Conversion)
    assert conversion.value_minor == 30000
    [bought] = [event for event in await rows(api, Event) if event.type == "purchased"]
    kept = [item["product_id"] for item in bought.props["items"]]
    assert len(kept) > 20
    assert kept == [str(n) for n in range(len(kept))]


def refunded_abroad(order_id: int, code: str, amount: str) -> dict[str, Any]:
    """Half of an order over 409.94 EUR, given back in the customer's currency as Shopify writes it."""
    both = {
        "shop_money": {"amount": "204.97", "currency_code": "EUR"},
        "presentment_money": {"amount": amount, "currency_code": code},
    }
    return {
        "id": 1,
        "order_id": order_id,
        "refund_line_items": [{"quantity": 1, "subtotal": float(amount), "subtotal_set": both}],
        "transactions": [{"kind": "refund", "status": "success", "amount": amount, "currency": code}],
    }


@pytest.mark.parametrize(("code", "amount"), [("USD", "221.37"), ("JPY", "37100"), ("KWD", "68.250")])
async def test_what_is_given_back_in_the_customers_currency_is_told_in_the_orders(
    api: Api, code: str, amount: str
) -> None:
    path, _ = await make(api, "shopify", SECRET)
    await shopify(api, path, "orders/create", order(7))
    await shopify(api, path, "refunds/create", refunded_abroad(7, code, amount))
    [told] = [event for event in await rows(api, Event) if event.type == "refunded"]
    assert (told.props["value_minor"], told.props["currency"]) == (20497, "EUR")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        # By the refund's own rate both are the order's.
        ({}, [{"refund_id": "1", "value_minor": 20497 + 1000, "currency": "EUR"}]),
        (
            {"refund_line_items": []},
            [
                {"refund_id": "1", "value_minor": 22137, "currency": "USD"},
                {"refund_id": "1/EUR", "value_minor": 1000, "currency": "EUR"},
            ],
        ),
    ],
)
async def test_what_is_given_back_in_two_currencies_is_not_added_up(
    api: Api, more: dict[str, Any], told: list[dict[str, Any]]
) -> None:
    path, _ = await make(api, "shopify", SECRET)
    await shopify(api, path, "orders/create", order(7))
    refund = refunded_abroad(7, "USD", "221.37") | more
    refund["transactions"].append({"kind": "refund", "status": "success", "amount": "10.00", "currency": "EUR"})
    await shopify(api, path, "refunds/create", refund)
    found = [event.props for event in await rows(api, Event) if event.type == "refunded"]
    assert sorted(found, key=lambda props: props["refund_id"]) == [{"order_id": "7", **one} for one in told]


@pytest.mark.parametrize("told_by_page", [False, True])
async def test_a_test_order_is_no_order(api: Api, told_by_page: bool) -> None:
    path, _ = await make(api, "shopify", SECRET)
    if told_by_page:
        await api.send(api.batch(api.event("purchased", {"order_id": "7", "value_minor": 900, "currency": "EUR"})))
    for topic in ("orders/create", "orders/paid"):
        await shopify(api, path, topic, order(7, test=True))
    assert len(await rows(api, Session)) == len(await rows(api, Conversion)) == told_by_page
    # Nobody saw that the page's order was one: what it earned is taken back.
    [back] = [event.props for event in await rows(api, Event) if event.type == "refunded"]
    assert back == {"order_id": "7", "refund_id": "test/7"}
    assert [visitor.email for visitor in await rows(api, Visitor)] == [None] * told_by_page


async def test_an_order_that_a_page_told_in_the_customers_currency_is_given_back_in_it(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    await api.send(api.batch(api.event("purchased", {"order_id": "7", "value_minor": 44274, "currency": "USD"})))
    await shopify(api, path, "refunds/create", refunded_abroad(7, "USD", "221.37"))
    [told] = [event for event in await rows(api, Event) if event.type == "refunded"]
    assert (told.props["value_minor"], told.props["currency"]) == (22137, "USD")


async def test_a_checkout_is_started_once_however_often_it_is_updated(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    checkout = {"token": "tok", "created_at": datetime.now(UTC).isoformat(), "currency": "EUR", "total_price": "9.00"}
    await shopify(api, path, "checkouts/update", checkout)
    await shopify(api, path, "checkouts/update", {**checkout, "email": "late@shop.example"})
    await shopify(api, path, "checkouts/update", {**checkout, "completed_at": checkout["created_at"]})
    assert sorted(event.type for event in await rows(api, Event)) == ["checkout_started", "identified"]
    [visitor] = await rows(api, Visitor)
    assert visitor.email == "late@shop.example"


async def test_a_copy_is_heard_once_and_answered_200(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    assert (await shopify(api, path, "orders/create", order(8), "w-1"))["repeated"] is False
    # The same id with other contents is still the same webhook.
    assert (await shopify(api, path, "orders/create", order(9), "w-1"))["repeated"] is True
    assert len(await rows(api, Conversion)) == 1
    assert (await shopify(api, path, "products/update", {"id": 1}))["ignored"] == 1


async def test_whoever_cannot_prove_who_they_are_is_refused(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    body = json.dumps(order(10)).encode()
    good = signed(body, "orders/create")
    tampered = [
        (path, body + b" ", good),
        (path, body, {**good, "x-shopify-hmac-sha256": "AAAA"}),
        (path, body, {**good, "x-shopify-hmac-sha256": "%%%"}),
        (path, body, {name: value for name, value in good.items() if "hmac" not in name}),
        (path, body, signed(body, "orders/create", "another-secret-of-enough-length")),
        (path[:-4] + "AAAA", body, good),
        ("/v1/webhooks/shopify/short", body, good),
        (path.replace("shopify", "klaviyo"), body, good),
    ]
    for address, content, headers in tampered:
        answer = await api.client.post(address, content=content, headers=headers)
        assert answer.status_code == 401, (address, headers)
    assert await rows(api, Event) == []
    [source] = (await api.client.get("/v1/sources", headers=api.headers)).json()["sources"]
    assert (await api.client.delete(f"/v1/sources/{source['id']}", headers=api.headers)).status_code == 204
    assert (await api.client.post(path, content=body, headers=good)).status_code == 401


async def test_a_source_just_made_says_what_the_list_says_of_it(api: Api) -> None:
    given = {"provider": "shopify", "name": "x", "secret": SECRET}
    made = (await api.client.post("/v1/sources", headers=api.headers, json=given)).json()
    [listed] = (await api.client.get("/v1/sources", headers=api.headers)).json()["sources"]
    assert made == listed | {"secret": None}
    assert made["created_at"]


async def test_a_stored_secret_cannot_be_read_without_the_servers_own(api: Api) -> None:
    await make(api, "shopify", SECRET)
    [source] = await rows(api, WebhookSource)
    assert SECRET.encode() not in source.sealed
    listed = (await api.client.get("/v1/sources", headers=api.headers)).text
    assert SECRET not in listed


async def test_a_source_needs_a_secret_key_and_a_secret_worth_the_name(api: Api) -> None:
    given = {"provider": "shopify", "name": "x", "secret": "short"}
    answer = await api.client.post("/v1/sources", headers=api.headers, json=given)
    assert (answer.status_code, answer.json()["field"]) == (400, "secret")
    for hostile in ({"name": "a\x00"}, {"name": "\ud800"}, {"secret": "\ud800" * 20}, {"secret": "\x00" * 20}):
        body = json.dumps({**given, "secret": SECRET, **hostile}).encode()
        headers = {**api.headers, "content-type": "application/json"}
        answer = await api.client.post("/v1/sources", headers=headers, content=body)
        assert answer.status_code in (400, 422)
        assert answer.json()["field"] == next(iter(hostile))
    answer = await api.client.post("/v1/sources", headers={"authorization": f"Bearer {api.write}"}, json=given)
    assert answer.status_code == 401


async def test_what_cannot_be_used_is_kept_and_can_be_replayed(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    told = await shopify(api, path, "orders/create", order(11, total_price="many"))
    assert told["rejected"].startswith("total_price:")
    services = api.services
    [kept] = await list_rejected(services.database, api.project_id, 10)
    async with services.database.transaction(api.project_id) as tx:
        await tx.execute(
            text("UPDATE rejected_event SET raw = :raw WHERE id = :id"),
            {"raw": kept.raw.replace(b'"many"', b'"1.00"'), "id": kept.id},
        )
    outcomes = [
        outcome.error
        async for outcome in replay_rejected(
            services.database, services.recorder, services.reception, api.project_id, services.limits
        )
    ]
    assert outcomes == [None]
    assert [conversion.key for conversion in await rows(api, Conversion)] == ["11"]


async def test_a_generic_webhook_is_signed_as_standard_webhooks_are(api: Api) -> None:
    path, secret = await make(api, "generic")
    now = datetime.now(UTC)
    bought = {"type": "purchased", "timestamp": now.isoformat(), "data": {"user_id": "u", "order_id": "g1"}}
    bought["data"] |= {"value_minor": 500, "currency": "EUR"}  # type: ignore[operator]
    for repeated in (False, True):
        answer = await generic(api, path, secret, bought, "msg_1", now)
        assert (answer.status_code, answer.json()["repeated"]) == (200, repeated)
    refund = {"type": "refunded", "data": {"order_id": "g1", "value_minor": 500, "currency": "EUR"}}
    assert (await generic(api, path, secret, refund)).json()["success"] is True
    own = {"type": "loyalty.joined", "data": {"user_id": "u", "level": 2}}
    assert (await generic(api, path, secret, own)).json()["success"] is True
    by_type = {event.type: event for event in await rows(api, Event)}
    assert by_type["purchased"].visitor_id == by_type["refunded"].visitor_id
    assert by_type["custom"].props == {"name": "loyalty.joined", "props": {"level": 2}}
    for old in (now - timedelta(minutes=6), now + timedelta(minutes=6)):
        assert (await generic(api, path, secret, bought, "msg_4", old)).status_code == 401


async def generic(
    api: Api, path: str, secret: str, document: Any, webhook_id: str | None = None, at: datetime | None = None
) -> httpx.Response:
    webhook_id, at, body = webhook_id or str(uuid4()), at or datetime.now(UTC), json.dumps(document)
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, at, body),
    }
    return await api.client.post(path, content=body.encode(), headers=headers)


@pytest.mark.parametrize("faster", [False, True])
async def test_an_order_that_the_page_and_a_generic_webhook_tell_of_is_one_visit(api: Api, faster: bool) -> None:
    path, secret = await make(api, "generic")
    # The page knows that there was an order, and not what it came to.
    batch = api.batch(api.event("page_viewed"), api.event("purchased", {"order_id": "g2"}))
    bought = {"order_id": "g2", "user_id": "u", "email": "jon@shop.example", "value_minor": 500, "currency": "EUR"}
    told = {"type": "purchased", "timestamp": datetime.now(UTC).isoformat(), "data": bought}
    if faster:
        hook = asyncio.create_task(generic(api, path, secret, told))
        await asyncio.sleep(0.2)
        await api.send(batch)
        assert (await hook).status_code == 200
    else:
        await api.send(batch)
        assert (await generic(api, path, secret, told)).status_code == 200
    [session] = await rows(api, Session)
    assert (str(session.id), str(session.visitor_id)) == (batch["session"], batch["visitor"])
    [conversion] = await rows(api, Conversion)
    assert (str(conversion.visitor_id), conversion.value_minor) == (batch["visitor"], 500)
    [visitor] = await rows(api, Visitor)
    assert visitor.email == "jon@shop.example"


async def test_what_an_order_came_to_is_told_by_shopify_where_the_page_did_not_know(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    long = "gid://shopify/Order/79"
    batch = api.batch(api.event("purchased", {"order_id": long}))
    await api.send(batch)
    await shopify(api, path, "orders/create", order(79))
    [conversion] = await rows(api, Conversion)
    assert (conversion.key, conversion.value_minor, conversion.currency) == (long, 40994, "EUR")
    [session] = await rows(api, Session)
    assert str(session.id) == batch["session"]


async def test_klaviyo_says_who_is_to_be_left_alone(api: Api) -> None:
    path, secret = await make(api, "klaviyo", "klaviyo-secret-0123456789")

    def entry(topic: str, email: str) -> dict[str, Any]:
        included = [{"type": "profile", "attributes": {"email": email}}]
        return {"topic": topic, "payload": {"data": {"attributes": {}}, "included": included}}

    silent = [
        "event:klaviyo.opened_email",
        "event:klaviyo.manually_unsuppressed_from_email_marketing",
        "event:klaviyo.bounced_push",
        "event:api.unsubscribed_from_plan",
    ]
    document = {
        "data": [
            entry("event:klaviyo.unsubscribed_from_email_marketing", "Jon@shop.example"),
            entry("event:klaviyo.manually_suppressed_from_email_marketing", "sue@shop.example"),
            *(entry(topic, "ann@shop.example") for topic in silent),
        ]
    }
    body = json.dumps(document).encode()

    async def post(at: float) -> httpx.Response:
        sent = str(int(at))
        signature = hmac.digest(secret.encode(), body + sent.encode(), hashlib.sha256).hex()
        headers = {"klaviyo-signature": signature, "klaviyo-timestamp": sent, "klaviyo-webhook-id": "w"}
        return await api.client.post(path, content=body, headers=headers)

    assert (await post(time.time())).json()["ignored"] == len(silent)
    assert {(row.channel, row.recipient) for row in await rows(api, Suppression)} == {
        ("email", "Jon@shop.example"),
        ("email", "jon@shop.example"),
        ("email", "sue@shop.example"),
    }
    assert (await post(time.time() - 301)).status_code == 401


async def test_braze_says_so_with_its_bearer_token(api: Api) -> None:
    path, secret = await make(api, "braze")

    def left(channel: str | None, status: str, email: str) -> dict[str, Any]:
        """As a preference centre says it."""
        said = {"channel": channel, "subscription_status": status, "email_address": email}
        kept = {name: value for name, value in said.items() if value is not None}
        return {"event_type": "users.behaviors.subscription.GlobalStateChange", "properties": kept}

    document = {
        "events": [
            {"event_type": "users.messages.email.MarkAsSpam", "properties": {"email_address": "jon@shop.example"}},
            {"event_type": "users.messages.email.Open", "properties": {"email_address": "ann@shop.example"}},
            left("email", "Unsubscribed", "ada@shop.example"),
            left(None, "Unsubscribed", "bob@shop.example"),
            left("email", "Opted In", "cyd@shop.example"),
            left("push", "Unsubscribed", "dan@shop.example"),
        ]
    }
    answer = await api.client.post(path, json=document, headers={"authorization": "Bearer nobody-s-token-at-all"})
    assert answer.status_code == 401
    answer = await api.client.post(path, json=document, headers={"authorization": f"Bearer {secret}"})
    assert answer.json()["ignored"] == 3
    told = {row.recipient for row in await rows(api, Suppression)}
    assert told == {"jon@shop.example", "ada@shop.example", "bob@shop.example"}


@pytest.mark.parametrize("body", [b"{", b"[" * 3000, b"\xff\x00", b"null", b'"x"', b"[]", b"NaN", b"{}"])
async def test_no_body_however_signed_is_a_failure(api: Api, body: bytes) -> None:
    path, _ = await make(api, "shopify", SECRET)
    for topic in ("orders/create", "refunds/create", "checkouts/update", "customers/redact", "x\u00e9"):
        headers = {name: value.encode("latin-1") for name, value in signed(body, topic).items()}
        answer = await api.client.post(path, content=body, headers=headers)
        assert answer.status_code in (200, 400), (topic, answer.text)


async def test_a_project_has_so_many_sources(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_SOURCES", 2)
    for status in (201, 201, 409):
        answer = await api.client.post("/v1/sources", json={"provider": "generic", "name": "y"}, headers=api.headers)
        assert answer.status_code == status, answer.text
