"""Refunds over HTTP: who may report one, and that it is no part of a visit."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select

from insights.models import Event, RejectedEvent, Session, Visitor
from insights.vocabulary.ids import uuid7
from tests.api.conftest import Api


async def test_a_page_cannot_take_back_an_order(api: Api) -> None:
    refund = api.event("refunded", {"order_id": "o-1"})
    answer = (await api.send(api.batch(api.event(), refund))).json()
    assert answer["accepted"] == 1
    assert [item["id"] for item in answer["rejected"]] == [refund["id"]]
    assert "secret key" in answer["rejected"][0]["error"]
    async with api.services.database.transaction(api.project_id) as tx:
        assert await tx.scalar(select(func.count()).select_from(RejectedEvent)) == 1


async def test_a_refund_is_stored_and_opens_no_session(api: Api) -> None:
    batch = api.batch(api.event("refunded", {"order_id": "o-1", "value_minor": 300, "currency": "EUR"}))
    answer = await api.client.post("/v1/events", json=batch, headers=api.headers)
    assert answer.json()["accepted"] == 1
    async with api.services.database.transaction(api.project_id) as tx:
        assert list(await tx.scalars(select(Event.type))) == ["refunded"]
        for table in (Session, Visitor):
            assert await tx.scalar(select(func.count()).select_from(table)) == 0


async def test_a_refund_leaves_the_visit_as_it_was(api: Api) -> None:
    session = uuid7()
    visit = api.batch(api.event("purchased", {"order_id": "o-1", "value_minor": 300}), session=str(session))
    await api.send(visit)
    before = await _row(api, session)
    refund = {**visit, "events": [api.event("refunded", {"order_id": "o-1"})]}
    assert (await api.client.post("/v1/events", json=refund, headers=api.headers)).json()["accepted"] == 1
    assert await _row(api, session) == before
    timeline = (await api.client.get(f"/v1/sessions/{session}", headers=api.headers)).json()["events"]
    assert [event["type"] for event in timeline] == ["purchased"]


async def _row(api: Api, session_id: UUID) -> tuple[object, ...]:
    async with api.services.database.transaction(api.project_id) as tx:
        row = await tx.get_one(Session, (api.project_id, session_id))
        return row.started_at, row.last_event_at, row.last_received_at, row.close_at, row.visitor_id
