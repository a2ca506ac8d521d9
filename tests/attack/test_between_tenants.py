"""What is right in one project is tried in the one next door: repeats, callbacks, webhooks, links, live lists."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from flows.models import Suppression
from insights.access.keys import create_key
from insights.models import AnsweredRequest
from insights.recovery.links import Target
from insights.viewer.tail import MOST_AT_ONCE, MOST_OF_ONE, Tails
from tests.api.conftest import Api, api
from tests.api.test_callbacks import RESEND, made
from tests.channels import callers
from tests.process import Process
from tests.sources.senders import make, signed

__all__ = ["api"]


@pytest.fixture
async def other(api: Api) -> Api:
    """Another shop on the same process."""
    made = await create_key(api.services.database, f"next-{uuid4()}", "secret", [])
    return Api(Process(api.services, api.client, made.project_id, "", made.key))


async def flow(shop: Api, name: str, key: str) -> Any:
    definition = {"name": name, "trigger": {"on": "api"}, "start": "a", "steps": {"a": {"do": "exit"}}}
    headers = {**shop.headers, "idempotency-key": key}
    return await shop.client.post("/v1/flows", headers=headers, json={"definition": definition})


async def test_an_idempotency_key_of_one_project_answers_nothing_in_another(api: Api, other: Api) -> None:
    key = "the-same-key-of-two-shops"
    mine, theirs = await flow(api, "mine", key), await flow(other, "mine", key)
    assert (mine.status_code, theirs.status_code) == (201, 201), (mine.text, theirs.text)
    assert "idempotent-replayed" not in theirs.headers
    assert mine.json()["id"] != theirs.json()["id"]
    again = await flow(other, "mine", key)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["id"] == theirs.json()["id"]
    async with api.services.database.transaction(api.project_id) as tx:
        assert len(list(await tx.scalars(select(AnsweredRequest)))) == 1


async def test_a_version_seen_in_one_project_opens_nothing_in_another(api: Api, other: Api) -> None:
    mine = await flow(api, "mine", "a")
    where, tag = f"/v1/flows/{mine.json()['id']}", mine.headers.get("etag", '"1"')
    for method, headers in (
        ("GET", {"if-none-match": tag}),
        ("PUT", {"if-match": tag}),
        ("POST", {"if-match": tag}),
    ):
        path = f"{where}/archive" if method == "POST" else where
        body = {"name": "taken", "trigger": {"on": "api"}, "start": "a", "steps": {"a": {"do": "exit"}}}
        options: dict[str, Any] = {"json": {"definition": body}} if method == "PUT" else {}
        answer = await other.client.request(method, path, headers={**other.headers, **headers}, **options)
        assert answer.status_code == 404, (method, answer.status_code, answer.text)
    assert (await api.client.get(where, headers=api.headers)).json()["name"] == "mine"


async def test_a_report_signed_for_one_projects_channel_is_refused_at_anothers(api: Api, other: Api) -> None:
    _, path = await made(api, "resend")
    secret = "whsec_" + base64.b64encode(b"o" * 24).decode()
    answer = await other.client.post(
        "/v1/channels",
        headers=other.headers,
        json={
            "kind": "resend",
            "name": "theirs",
            "settings": {"sender": "a@b.example"},
            "credentials": {"api_key": "re_123456789", "callback_secret": secret},
        },
    )
    assert answer.status_code == 201, answer.text
    theirs = answer.json()["callback_url"].partition("//")[2].partition("/")[2]
    call = callers.resend({**RESEND, "data": {**RESEND["data"], "to": ["victim@example.com"]}}, datetime.now(UTC))  # type: ignore[dict-item]
    refused = await api.client.post(f"/{theirs}", content=call.raw, headers=dict(call.headers))
    assert refused.status_code == 401
    taken = await api.client.post(path, content=call.raw, headers=dict(call.headers))
    assert taken.status_code == 200
    for project_id in (api.project_id, other.project_id):
        async with api.services.database.transaction(project_id) as tx:
            found = [row.recipient for row in await tx.scalars(select(Suppression))]
        assert found == (["victim@example.com"] if project_id == api.project_id else [])


async def test_an_address_of_two_projects_halves_is_nobodys(api: Api, other: Api) -> None:
    """Project and channel stand in the address: another project's channel under one's own name."""
    channel_id, path = await made(api, "resend")
    call = callers.resend(RESEND, datetime.now(UTC))
    crossed = base64.urlsafe_b64encode(other.project_id.bytes + UUID(str(channel_id)).bytes).rstrip(b"=").decode()
    answer = await api.client.post(f"/v1/callbacks/{crossed}", content=call.raw, headers=dict(call.headers))
    assert answer.status_code == 401
    assert (await api.client.post(path, content=call.raw, headers=dict(call.headers))).status_code == 200


async def test_a_webhook_signed_with_another_projects_secret_is_refused(api: Api, other: Api) -> None:
    mine, _ = await make(api, "shopify", "shpss_of_the_first_shop")
    theirs, _ = await make(other, "shopify", "shpss_of_the_second_shop")
    body = json.dumps({"customer": {"email": "a@b.example"}, "orders_to_redact": []}).encode()
    for path, secret, status in (
        (theirs, "shpss_of_the_first_shop", 401),
        (mine, "shpss_of_the_second_shop", 401),
        (mine, "shpss_of_the_first_shop", 200),
    ):
        headers = signed(body, "customers/redact", secret)
        assert (await api.client.post(path, content=body, headers=headers)).status_code == status


async def test_a_link_rewritten_to_another_project_or_target_is_no_link(api: Api, other: Api) -> None:
    target = Target("click", api.project_id, uuid4(), "mail", "https://shop.example/cart")
    token = api.services.composer.links.sign(target, datetime.now(UTC))
    good = await api.client.get(f"/v1/l/{token}")
    assert (good.status_code, good.headers["location"]) == (302, "https://shop.example/cart")
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for forged in (
        raw.replace(api.project_id.bytes, other.project_id.bytes),
        raw.replace(b"https://shop.example", b"https://evil.example"),
        raw + b".evil.example",
        raw[:16] + raw[16:].replace(b"\x01", b"\x03", 1),
    ):
        assert forged != raw
        answer = await api.client.get(f"/v1/l/{base64.urlsafe_b64encode(forged).rstrip(b'=').decode()}")
        assert answer.status_code == 400, answer.text
        assert "location" not in answer.headers


async def test_one_projects_live_lists_leave_room_for_the_others() -> None:
    tails, mine, theirs = Tails(lambda: datetime.now(UTC)), uuid4(), uuid4()

    async def look(_since: datetime) -> list[str]:
        return []

    held = [tails.follow(mine, look, datetime.now(UTC)) for _ in range(MOST_OF_ONE)]
    for tail in held:
        await anext(tail)
    assert tails.full(mine)
    assert not tails.full(theirs)
    assert MOST_OF_ONE * 2 <= MOST_AT_ONCE
    for tail in held:
        await tail.aclose()  # type: ignore[attr-defined]
    assert not tails.full(mine)
