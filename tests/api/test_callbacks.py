"""Providers' reports over HTTP: proved, heard once, and acted on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from flows.models import Delivery, Suppression
from tests.api.conftest import Api
from tests.channels import callers
from tests.channels.test_provider_events import POSTMARK, RESEND, SENDGRID


async def made(api: Api, kind: str) -> tuple[UUID, str]:
    settings: dict[str, Any] = {"sender": "mail@shop.example"}
    credentials = {"api_key": "k" * 8}
    if kind == "resend":
        credentials["callback_secret"] = callers.SVIX_SECRET
    elif kind == "sendgrid":
        settings["callback_public_key"] = callers.SENDGRID_PUBLIC_KEY
    else:
        credentials["callback_password"] = callers.PASSWORD
    body = {"kind": kind, "name": f"c-{kind}", "settings": settings, "credentials": credentials}
    answer = (await api.client.post("/v1/channels", json=body, headers=api.headers)).json()
    return UUID(answer["id"]), answer["callback_url"].partition("8321")[2]


async def delivery(api: Api, channel_id: UUID, key: str, recipient: str) -> None:
    async with api.services.database.transaction(api.project_id) as tx:
        tx.add(
            Delivery(
                project_id=api.project_id,
                id=UUID(key),
                run_id=uuid4(),
                step="mail",
                action="send_email",
                visitor_id=uuid4(),
                channel="email",
                recipient=recipient,
                dedupe_key=key,
                content={},
                status="unknown",
                attempts=1,
                created_at=datetime.now(UTC),
                channel_id=channel_id,
            )
        )


async def test_each_providers_bounce_settles_the_delivery_and_suppresses_the_address(api: Api) -> None:
    now = datetime.now(UTC)
    for kind in ("resend", "sendgrid", "postmark"):
        channel_id, path = await made(api, kind)
        key, person = str(uuid4()), f"{kind}@example.com"
        await delivery(api, channel_id, key, person)
        call = {
            "resend": lambda k, p: callers.resend(
                {**RESEND, "data": {**RESEND["data"], "to": [p], "tags": {"whyleft_delivery": k}}},  # type: ignore[dict-item]
                now,
            ),
            "sendgrid": lambda k, p: callers.sendgrid([{**SENDGRID[0], "email": p, "whyleft_delivery": k}], now),
            "postmark": lambda k, p: callers.postmark(
                {**POSTMARK, "Email": p, "Metadata": {"whyleft_delivery": k}}, now
            ),
        }[kind](key, person)
        for repeated in (0, 1, 1):
            answer = await api.client.post(path, content=call.raw, headers=dict(call.headers))
            assert answer.status_code == 200, answer.text
            assert (answer.json()["new"], answer.json()["repeated"]) == (1 - repeated, repeated)
        async with api.services.database.transaction(api.project_id) as tx:
            row = await tx.get_one(Delivery, (api.project_id, UUID(key)))
            suppressed = await tx.get(Suppression, (api.project_id, "email", person))
        assert (row.status, row.fate) == ("accepted", "bounced")
        assert suppressed is not None


async def test_whoever_is_not_the_provider_is_refused_and_learns_nothing(api: Api) -> None:
    now = datetime.now(UTC)
    _, path = await made(api, "resend")
    good = callers.resend(RESEND, now)
    old = callers.resend(RESEND, now - timedelta(minutes=6))
    attempts: list[tuple[str, bytes, dict[str, str]]] = [
        (path, good.raw + b" ", dict(good.headers)),
        (path, good.raw, {}),
        (path, old.raw, dict(old.headers)),
        (path[:-3] + "AAA", good.raw, dict(good.headers)),
        ("/v1/callbacks/" + "A" * 43, good.raw, dict(good.headers)),
        ("/v1/callbacks/email", good.raw, dict(good.headers)),
    ]
    for url, raw, headers in attempts:
        answer = await api.client.post(url, content=raw, headers=headers)
        assert answer.status_code == 401, (url, answer.text)
        assert callers.SVIX_SECRET not in answer.text
    async with api.services.database.transaction(api.project_id) as tx:
        assert list(await tx.scalars(select(Suppression))) == []
    assert (await api.client.get(path)).status_code == 405
    big = await api.client.post(path, content=b"x" * 2_000_000, headers=dict(good.headers))
    assert big.status_code == 413
