"""Rejected events over HTTP: read page by page, mended, tried again."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from insights.models import Event, RejectedEvent
from tests.api.conftest import Api


async def types(api: Api) -> list[str]:
    async with api.services.database.transaction(api.project_id) as tx:
        return sorted(await tx.scalars(select(Event.type)))


async def listed(api: Api, **query: Any) -> dict[str, Any]:
    answer = await api.client.get("/v1/rejected", headers=api.headers, params=query)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_rejected_events_are_read_page_by_page(api: Api) -> None:
    for number in range(5):
        await api.send(api.batch(api.event(props={"selector": number})))
    first = await listed(api, limit=3)
    second = await listed(api, limit=3, before=first["next"])
    assert second["next"] is None
    found = [*first["rejected"], *second["rejected"]]
    assert [json.loads(item["event"])["props"]["selector"] for item in found] == [4, 3, 2, 1, 0]
    assert {item["error"].partition(":")[0] for item in found} == {"props.selector"}


async def test_one_is_mended_and_stored_where_it_belongs(api: Api) -> None:
    batch = api.batch(api.event(props={"selector": 1}))
    await api.send(batch)
    [item] = (await listed(api))["rejected"]
    again = await api.client.post(f"/v1/rejected/{item['id']}/replay", headers=api.headers)
    assert again.json()["error"].startswith("props.selector")
    mended = {**json.loads(item["event"]), "props": {"selector": "#buy"}}
    for _ in range(2):
        answer = await api.client.post(f"/v1/rejected/{item['id']}/replay", headers=api.headers, json={"event": mended})
        assert answer.json() == {"id": item["id"], "error": None}
    assert await types(api) == ["clicked"]
    assert (await listed(api))["rejected"] == []


async def test_of_what_is_refused_no_password_in_an_address_is_kept_and_it_can_be_tried_again(api: Api) -> None:
    left = "https://shop.example/login?password=hunter2&size=L"
    props = {"path": "/login", "url": left, "title": 7}
    await api.send({**api.batch(api.event("page_viewed", props)), "page": {"url": left}})
    page = {"type": "page", "messageId": "m1", "timestamp": "no time", "properties": {"url": left}, "userId": "u"}
    await api.client.post(
        "/v1/batch", params={"key": api.write}, json={"batch": [page], "context": {"page": {"url": left}}}
    )
    found = (await listed(api))["rejected"]
    assert {item["dialect"] for item in found} == {None, "segment"}
    async with api.services.database.transaction(api.project_id) as tx:
        rows = list(await tx.scalars(select(RejectedEvent)))
    kept = "".join([row.raw.decode() + json.dumps(row.envelope) for row in rows])
    assert "hunter2" not in kept
    assert kept.count("password=[secret]&size=L") == 4
    [item] = [item for item in found if item["dialect"] is None]
    mended = {**json.loads(item["event"]), "props": {**props, "title": "Login"}}
    answer = await api.client.post(f"/v1/rejected/{item['id']}/replay", headers=api.headers, json={"event": mended})
    assert answer.json()["error"] is None
    async with api.services.database.transaction(api.project_id) as tx:
        event = (await tx.scalars(select(Event))).one()
        (row,) = await tx.scalars(select(RejectedEvent).where(RejectedEvent.replayed_at.is_not(None)))
    assert (event.url, event.props["url"]) == (left.replace("hunter2", "[secret]"),) * 2
    assert "hunter2" not in row.raw.decode()


async def test_a_refund_of_a_page_is_stored_only_when_somebody_vouches_for_it(api: Api) -> None:
    refund = {"order_id": "1", "value_minor": 5, "currency": "EUR"}
    await api.send(api.batch(api.event("refunded", refund)))
    order = {"userId": "u", "event": "Order Refunded", "properties": {"order_id": "1", "total": 1}}
    await api.client.post("/v1/track", params={"key": api.write}, json=order)
    answer = await api.client.post("/v1/rejected/replay", headers=api.headers)
    assert answer.json() == {"stored": 0, "rejected": 2}
    for item in (await listed(api))["rejected"]:
        answer = await api.client.post(f"/v1/rejected/{item['id']}/replay", headers=api.headers)
        assert answer.json()["error"] is None
    assert await types(api) == ["refunded", "refunded"]


async def test_a_write_key_reads_and_replays_nothing(api: Api) -> None:
    headers = {"authorization": f"Bearer {api.write}"}
    assert (await api.client.get("/v1/rejected", headers=headers)).status_code == 401
    assert (await api.client.post("/v1/rejected/replay", headers=headers)).status_code == 401
    answer = await api.client.post(f"/v1/rejected/{uuid4()}/replay", headers=api.headers)
    assert answer.status_code == 404
