"""POST /v1/events: who may report, what is kept, what comes back."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import json
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import func, select, text

from flows.models import Conversion
from insights.app import create_app
from insights.events.rejected import list_rejected, replay_rejected
from insights.models import Decision, Event, Session, Visitor
from insights.vocabulary.ids import uuid7
from tests.api.conftest import SHOP, Api


async def test_accepted_means_stored_and_a_second_copy_changes_nothing(api: Api) -> None:
    batch = api.batch(api.event("page_viewed", {"path": "/"}), api.event())
    first = await api.send(batch)
    assert first.json() == {"accepted": 2, "duplicates": 0, "rejected": [], "action": None}
    assert (await api.send(batch)).json()["duplicates"] == 2
    async with api.services.database.transaction(api.project_id) as tx:
        assert await tx.scalar(select(func.count()).select_from(Event)) == 2


async def test_many_at_once_are_each_stored_once(api: Api) -> None:
    batches = [api.batch(*(api.event() for _ in range(5))) for _ in range(60)]
    answers = await asyncio.gather(*(api.send(batch) for batch in [*batches, *batches]))
    assert sum(answer.json()["accepted"] for answer in answers) == 300
    assert sum(answer.json()["duplicates"] for answer in answers) == 300


async def test_a_bad_event_is_kept_listed_and_replayed(api: Api) -> None:
    bad = api.event("product_viewed", {"product_id": [7]})
    answer = (await api.send(api.batch(api.event(), bad))).json()
    assert (answer["accepted"], answer["rejected"][0]["id"]) == (1, bad["id"])
    (kept,) = await list_rejected(api.services.database, api.project_id, 10)
    assert kept.error == answer["rejected"][0]["error"]
    services = api.services

    async def replay() -> list[str | None]:
        found = replay_rejected(
            services.database, services.recorder, services.reception, api.project_id, services.limits
        )
        return [outcome.error async for outcome in found]

    assert await replay() == [kept.error]
    async with services.database.transaction(api.project_id) as tx:
        # As if the rule had changed: what was kept is good now.
        await tx.execute(text("UPDATE rejected_event SET raw = :raw"), {"raw": kept.raw.replace(b"[7]", b'"7"')})
    assert await replay() == [None]
    assert await replay() == []
    async with services.database.transaction(api.project_id) as tx:
        assert await tx.scalar(select(func.count()).select_from(Event)) == 2


@pytest.mark.parametrize("key", ["", "nonsense", "wl_w_unknown", "wl_s_unknown", "x" * 5000])
async def test_a_wrong_key_is_refused_with_advice(api: Api, key: str) -> None:
    answer = await api.client.post("/v1/events", params={"key": key}, json=api.batch(api.event()))
    assert answer.status_code == 401
    assert "whyleft keys create" in answer.text or "Send the project's write key" in answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_write_key_reads_nothing(api: Api) -> None:
    paths = (await api.client.get("/openapi.json")).json()["paths"]
    secret = {
        (method, path): operation
        for path, operations in paths.items()
        for method, operation in operations.items()
        if operation.get("security")
    }
    assert len(secret) >= 7
    for method, path in secret:
        url = path.replace("{session_id}", str(uuid4())).replace("{code}", "X").replace("{fingerprint}", "f")
        for headers in ({}, {"authorization": f"Bearer {api.write}"}, {"authorization": "Bearer wl_s_no"}):
            assert (await api.client.request(method, url, headers=headers)).status_code == 401, path


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (SHOP, True),
        ("null", False),
        (SHOP + ".evil", False),
        ("https://a.shop.example", False),
        ("http://shop.example", False),
    ],
)
async def test_only_pages_of_the_shop_may_report(api: Api, origin: str, allowed: bool) -> None:
    for method in ("POST", "OPTIONS"):
        answer = await api.client.request(
            method, "/v1/events", params={"key": api.write}, json=api.batch(api.event()), headers={"origin": origin}
        )
        assert answer.status_code == ((200 if method == "POST" else 204) if allowed else 403)
        assert answer.headers["access-control-allow-origin"] == (origin if allowed else "*")


async def test_a_beacon_and_a_compressed_body_are_read(api: Api) -> None:
    body = json.dumps(api.batch(api.event())).encode()
    url = f"/v1/events?key={api.write}"
    plain = await api.client.post(url, content=body, headers={"content-type": "text/plain;charset=UTF-8"})
    assert plain.json()["accepted"] == 1
    zipped = await api.client.post(url, content=gzip.compress(body), headers={"content-encoding": "gzip"})
    assert zipped.json()["duplicates"] == 1


@pytest.mark.parametrize(
    ("content", "encoding", "status"),
    [
        (b"x" * 2_000_000, None, 413),
        (gzip.compress(b" " * 50_000_000), "gzip", 413),
        (b"not gzip", "gzip", 400),
        (gzip.compress(b"{}", mtime=0)[:-9], "gzip", 400),
        (b"{}", "br", 400),
        (b"[1]", None, 400),
    ],
)
async def test_a_hostile_body_is_refused_by_name(api: Api, content: bytes, encoding: str | None, status: int) -> None:
    headers = {"content-encoding": encoding} if encoding else {}
    answer = await api.client.post(f"/v1/events?key={api.write}", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.json()["detail"].endswith(".")


async def test_who_is_about_to_leave_a_cart_gets_an_action_and_the_choice_is_logged(api: Api) -> None:
    head = {"visitor": str(uuid4()), "session": str(uuid7())}
    cart = {"product_id": "p", "price_minor": 900, "quantity": 1, "cart_value_minor": 900, "currency": "EUR"}
    await api.send(api.batch(api.event("page_viewed", {"path": "/p"}), api.event("cart_added", cart), **head))
    answer = (await api.send(api.batch(api.event("exit_intent", {"kind": "pointer"}), **head))).json()
    assert answer["action"]["action"] == "cart_save"
    again = (await api.send(api.batch(api.event("exit_intent", {"kind": "pointer"}), **head))).json()
    assert again["action"] is None
    async with api.services.database.transaction(api.project_id) as tx:
        (decision,) = (await tx.scalars(select(Decision).where(Decision.action == "cart_save"))).all()
    assert str(decision.id) == answer["action"]["decision_id"]
    assert sum(decision.probabilities.values()) == pytest.approx(1)
    assert decision.excluded


@pytest.mark.parametrize("behind_s", [-540, 0, 90, 540])
async def test_a_clock_that_is_minutes_off_costs_nobody_an_action_nor_its_order(api: Api, behind_s: int) -> None:
    head = {"visitor": str(uuid4()), "session": str(uuid7())}
    cart = {"product_id": "p", "price_minor": 900, "quantity": 1, "cart_value_minor": 900, "currency": "EUR"}
    order = {"order_id": str(uuid4()), "value_minor": 900, "currency": "EUR"}

    async def send(type: str, props: dict[str, object], *, old_s: int = 0) -> dict[str, Any]:
        now = int(time.time() * 1000) - behind_s * 1000
        told = api.event(type, props, t=now - old_s * 1000)
        answer: dict[str, Any] = (await api.send(api.batch(told, sent_at=now, **head))).json()
        return answer

    await send("cart_added", cart, old_s=200)
    assert (await send("exit_intent", {"kind": "pointer"}, old_s=90))["action"] is None
    answer = await send("exit_intent", {"kind": "pointer"})
    assert answer["action"]["action"] == "cart_save"
    await send("purchased", order)
    async with api.services.database.transaction(api.project_id) as tx:
        decided = await tx.scalar(select(Decision.decided_at).where(Decision.action == "cart_save"))
        bought = await tx.scalar(select(Conversion.occurred_at))
    assert decided is not None and bought is not None
    assert decided <= bought <= decided + timedelta(seconds=max(0, -behind_s) + 60)


async def test_the_newest_word_on_who_they_are_wins_whatever_came_first(api: Api) -> None:
    head = {"visitor": str(uuid4()), "session": str(uuid7())}
    new = api.event("identified", {"email": "new@example.org"})
    old = api.event("identified", {"email": "old@example.org"}, t=new["t"] - 5000)
    yes = api.event("consent_changed", {"marketing": True})
    for event in (new, old, yes):
        await api.send(api.batch(event, **head))
    async with api.services.database.transaction(api.project_id) as tx:
        visitor = await tx.get_one(Visitor, (api.project_id, UUID(head["visitor"])))
    assert (visitor.email, visitor.consent) == ("new@example.org", {"marketing": True})


async def test_an_order_is_a_conversion_in_the_same_commit(api: Api) -> None:
    await api.send(api.batch(api.event("purchased", {"order_id": "A1", "value_minor": 500, "currency": "EUR"})))
    async with api.services.database.transaction(api.project_id) as tx:
        assert [row.value_minor for row in await tx.scalars(select(Conversion))] == [500]


async def test_a_session_is_due_after_the_quiet_time_after_the_grace_and_again_when_more_comes(api: Api) -> None:
    head = {"visitor": str(uuid4()), "session": str(uuid7())}

    async def waits() -> float:
        async with api.services.database.transaction(api.project_id) as tx:
            session = await tx.get_one(Session, (api.project_id, UUID(head["session"])))
            assert session.close_at is not None
            return (session.close_at - session.last_received_at).total_seconds()

    await api.send(api.batch(api.event(), **head))
    assert await waits() == 3600
    await api.send(api.batch(api.event("session_ended"), **head))
    assert await waits() == 60
    await api.send(api.batch(api.event(t=api.event()["t"] + 10_000), **head))
    assert await waits() == 3900


async def test_the_time_to_close_a_session_is_put_off_in_steps_not_with_every_batch(api: Api) -> None:
    head = {"visitor": str(uuid4()), "session": str(uuid7())}

    async def seen(*, waited: float = 0) -> tuple[datetime, timedelta]:
        async with api.services.database.transaction(api.project_id) as tx:
            session = await tx.get_one(Session, (api.project_id, UUID(head["session"])))
            assert session.close_at is not None
            due, left = session.close_at, session.close_at - session.last_received_at
            session.last_received_at -= timedelta(seconds=waited)
            session.close_at -= timedelta(seconds=waited)
            return due, left

    await api.send(api.batch(api.event(), **head))
    assert (await seen())[1] == timedelta(hours=1)
    await api.send(api.batch(api.event(), **head))
    first, left = await seen()
    assert left == timedelta(minutes=65)
    await api.send(api.batch(api.event(), **head))
    second, left = await seen(waited=299)
    assert second == first
    assert timedelta(minutes=60) <= left < timedelta(minutes=65)
    await api.send(api.batch(api.event(), **head))
    await seen(waited=60)
    await api.send(api.batch(api.event(), **head))
    assert (await seen())[1] == timedelta(minutes=65)


async def test_a_dropped_database_connection_loses_nothing(api: Api) -> None:
    await api.send(api.batch(api.event()))
    async with api.services.database.transaction(None) as tx:
        await tx.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND usename = current_user"
            )
        )
    answer = await api.send(api.batch(api.event()))
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)


async def test_an_answer_explains_itself_only_where_asked_for(api: Api) -> None:
    batch = api.batch(api.event("cart_added", {"product_id": "m1", "price_minor": 1250, "currency": "EUR"}))
    assert "explained" not in (await api.send(batch)).json()
    services = dataclasses.replace(
        api.services, settings=dataclasses.replace(api.services.settings, explain_answers=True)
    )
    transport = httpx.ASGITransport(create_app(services))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        refused = api.event("coupon_tried", {"accepted": False})
        batch["events"] = [api.event("page_viewed", {"path": "/cart"}), refused]
        answer = (await client.post("/v1/events", params={"key": api.write}, json=batch)).json()
    told = answer["explained"]
    assert told["stage"] == "cart_adder" and told["profile"]["cart_items"] == 1
    assert set(told["intent"]) >= {"bounce_risk"} and {"decision", "why"} <= set(told)
