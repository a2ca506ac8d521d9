"""A shop whose visitors do things through the HTTP API."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from insights.vocabulary.ids import uuid7
from tests.api.conftest import Api

CART = {"product_id": "p", "price_minor": 6_000, "quantity": 1, "cart_value_minor": 6_000, "currency": "EUR"}


async def visit(
    api: Api, *events: tuple[str, dict[str, Any]], visitor: UUID | None = None, hours_ago: float = 0, **page: Any
) -> UUID:
    """A visit with one page view and these events; returns the visitor."""
    at = int((time.time() - hours_ago * 3600) * 1000)
    visitor = visitor or uuid4()
    told = [("page_viewed", {"path": "/", **page}), *events]
    sent = [api.event(kind, props, t=at + n, id=str(uuid7(at + n)), seq=n) for n, (kind, props) in enumerate(told)]
    answer = await api.send(
        {
            "visitor": str(visitor),
            "session": str(uuid7(at)),
            "tab": "t",
            "sent_at": int(time.time() * 1000),
            "events": sent,
        }
    )
    assert answer.json()["accepted"] == len(sent), answer.text
    return visitor


async def close_visits(api: Api) -> None:
    """Closes all that are open, as the quiet time would."""
    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(text("UPDATE session SET close_at = now() - interval '1 second' WHERE close_at IS NOT NULL"))
    while await api.services.closer.close_due():
        pass


async def create(api: Api, name: str, when: Any) -> dict[str, Any]:
    answer = await api.client.post("/v1/segments", headers=api.headers, json={"name": name, "when": when})
    assert answer.status_code == 201, answer.text
    return {**answer.json(), "etag": answer.headers["etag"]}


async def segments_of(api: Api, visitor: UUID) -> list[str]:
    answer = await api.client.get(f"/v1/visitors/{visitor}/segments", headers=api.headers)
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.json()["segments"]
    return found


async def tag(api: Api, visitor: UUID, *put_on: str, remove: tuple[str, ...] = ()) -> list[str]:
    answer = await api.client.post(
        f"/v1/visitors/{visitor}/tags", headers=api.headers, json={"set": put_on, "remove": remove}
    )
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.json()["tags"]
    return found
