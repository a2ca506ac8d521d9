"""Whoever sends webhooks in: a shop on Shopify, and a server of one's own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook

from tests.api.conftest import Api

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
    """The headers by which Shopify proves a body."""
    return {
        "x-shopify-hmac-sha256": base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode(),
        "x-shopify-topic": topic,
        "x-shopify-webhook-id": webhook_id or str(uuid4()),
        "content-type": "application/json",
    }


async def shopify(api: Api, path: str, topic: str, document: Any, webhook_id: str | None = None) -> dict[str, Any]:
    """What is answered to a webhook of Shopify that is believed."""
    body = json.dumps(document).encode()
    answer = await api.client.post(path, content=body, headers=signed(body, topic, webhook_id=webhook_id))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def rows(api: Api, table: Any) -> list[Any]:
    """Everything of the project in a table."""
    async with api.services.database.transaction(api.project_id) as tx:
        return list(await tx.scalars(select(table)))


def order(number: int = 820982911946154500, **other: Any) -> dict[str, Any]:
    """An order as Shopify tells of it, two minutes old."""
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


async def generic(
    api: Api, path: str, secret: str, document: Any, webhook_id: str | None = None, at: datetime | None = None
) -> httpx.Response:
    """The answer to a webhook signed as Standard Webhooks are."""
    webhook_id, at, body = webhook_id or str(uuid4()), at or datetime.now(UTC), json.dumps(document)
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, at, body),
    }
    return await api.client.post(path, content=body.encode(), headers=headers)
