"""The key that pages subscribe with, and the pushes that a flow sends with it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.api.conftest import Api
from tests.recovery.test_short import browser


async def ask(api: Api, method: str, path: str, **options: Any) -> Any:
    return await api.client.request(method, path, headers=api.headers, **options)


async def test_the_key_is_made_once_and_stays(api: Api) -> None:
    missing = await ask(api, "GET", "/v1/push/key")
    assert (missing.status_code, "web_push" in missing.json()["detail"]) == (404, True)
    channel = {"kind": "web_push", "name": "browsers", "settings": {"contact": "mailto:you@shop.example"}}
    made = (await ask(api, "POST", "/v1/channels", json=channel)).json()
    assert "private_key" not in str(made)
    first = (await ask(api, "GET", "/v1/push/key")).json()
    assert first["channel"] == "browsers"
    assert len(first["public_key"]) == 87
    change = {"settings": {"contact": "https://shop.example"}}
    assert (await ask(api, "PATCH", f"/v1/channels/{made['id']}", json=change)).status_code == 200
    assert (await ask(api, "GET", "/v1/push/key")).json() == first


async def test_who_subscribed_is_listed_without_their_address(api: Api) -> None:
    visitor, told = str(uuid4()), browser()
    await api.send(
        api.batch(api.event("identified", {"traits": {"push_subscription": told, "plan": "gold"}}), visitor=visitor)
    )
    answer = await ask(api, "GET", "/v1/push/subscriptions", params={"visitor_id": visitor})
    (one,) = answer.json()["subscriptions"]
    assert (one["visitor_id"], one["kind"], one["service"]) == (visitor, "web", "updates.push.services.mozilla.com")
    assert told["keys"]["auth"] not in answer.text
    assert told["endpoint"] not in answer.text
