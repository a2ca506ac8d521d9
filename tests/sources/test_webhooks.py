"""Webhooks in: who is believed, what a copy does, what Klaviyo, Braze and a server of one's own say of whom."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from flows.models import Conversion, Suppression
from insights.events.rejected import list_rejected, replay_rejected
from insights.models import Event, Session, Visitor, WebhookSource
from insights.sources import store
from tests.api.conftest import Api, api
from tests.sources.senders import SECRET, generic, make, order, rows, shopify, signed

__all__ = ["api"]


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


async def test_what_is_too_large_to_be_read_is_said_to_whoever_runs_the_server(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = await make(api, "shopify", SECRET)
    most = api.services.settings.max_body_bytes
    body = json.dumps(order(11) | {"note": "x" * most}).encode()
    for address, word in ((path, "provider"), ("/v1/callbacks/email", "channel")):
        capsys.readouterr()
        answer = await api.client.post(address, content=body, headers=signed(body, "orders/create"))
        assert answer.status_code == 413
        [line] = [line for line in capsys.readouterr().out.splitlines() if "_too_large" in line]
        assert word in line and str(most) in line and "WHYLEFT_MAX_BODY_BYTES" in line


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
            entry("event:klaviyo.unsubscribed_from_email_marketing", "eva@bücher.example"),
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
        ("email", "eva@bücher.example"),
        ("email", "eva@xn--bcher-kva.example"),
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
