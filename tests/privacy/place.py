"""A shop that a canary walks through: what is said of it stands nowhere else, so that it is known where it turns up."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import text, update

from insights.models import Session
from insights.vocabulary.ids import uuid7
from insights.wiring.services import Services
from tests.e2e.server import until

EMAIL = "Canary.Zyxomma@hidden.example"
PHONE = "+4915112377701"
NAME = "Zyxomma"
STREET = "Kanarienstrasse 77"
WORDS = [EMAIL, "zyxomma@hidden", "4915112377701", "15112377701", "Zyxomma", "Kanarienstrasse"]


class Place:
    def __init__(self, services: Services, client: httpx.AsyncClient, write: str, secret: str, project: UUID) -> None:
        self.services, self.client, self.write, self.project = services, client, write, project
        self.headers = {"authorization": f"Bearer {secret}"}
        self.visitor = str(uuid4())

    def event(self, type: str, **props: Any) -> dict[str, Any]:
        identifier = uuid7()
        return {"id": str(identifier), "t": identifier.int >> 80, "type": type, "props": props}

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        answer = await self.client.request(method, path, headers=self.headers, **options)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None


async def fill(place: Place) -> str:
    """Says the canary wherever a page, a shop's server or a key's holder can; returns the session."""
    session = str(uuid7())
    url = f"https://shop.example/account?mail={EMAIL.replace('@', '%40')}&m={EMAIL}"
    batch = {
        "visitor": place.visitor,
        "session": session,
        "page": {"url": url, "title": f"Hello {EMAIL}", "referrer": url},
        "events": [
            place.event("page_viewed", url=url, path="/account"),
            place.event(
                "identified", user_id=EMAIL, email=EMAIL, phone=PHONE,
                traits={"name": NAME, "address": {"street": STREET}},
            ),
            place.event("consent_changed", marketing=True, channels=["email"], text_id="news", version="3"),
            place.event("searched", query=f"orders of {EMAIL}", results=0),
            place.event("js_error", message=f"cannot read {EMAIL}", source="a.js"),
            place.event("cart_added", product_id="mug", name="Mug", price_minor=900, currency="EUR"),
            place.event("newsletter", who=EMAIL, deep={"er": [EMAIL]}),
            {**place.event("clicked", who=EMAIL, name=NAME), "t": "never"},
        ],
    }  # fmt: skip
    answer = await place.client.post("/v1/events", params={"key": place.write}, json=batch)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 7)
    message = {
        "type": "identify", "userId": EMAIL, "anonymousId": str(uuid4()), "traits": {"email": EMAIL, "name": NAME},
        "context": {"ip": "203.0.113.77", "page": {"url": url}},
    }  # fmt: skip
    answer = await place.client.post("/v1/identify", json={**message, "writeKey": place.write})
    assert answer.status_code == 200
    answer = await place.client.post("/v1/track", json={"event": EMAIL, "userId": 7.5, "writeKey": place.write})
    assert answer.status_code == 200
    return session


async def close(place: Place, session: str) -> None:
    async with place.services.database.transaction(place.project) as tx:
        await tx.execute(update(Session).values(close_at=text("now() - interval '1 minute'")))
    await until(place.services.closer.close_due)
