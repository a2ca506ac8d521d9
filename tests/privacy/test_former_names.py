"""A customer's former address is theirs, too: what was stored under it goes with them, and is handed to them."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import func, select

from flows.models import Suppression
from insights.models import IdentityLink
from insights.privacy.requests import carry_out
from insights.vocabulary.ids import uuid7
from tests.privacy.place import Place

FORMER, LATER, OTHERS = "former@hidden.example", "later@hidden.example", "other@hidden.example"


async def _say(place: Place, visitor: str, user_id: str, email: str) -> None:
    batch = {"visitor": visitor, "session": str(uuid7()), "events": [
        place.event("page_viewed", url="https://shop.example/", path="/"),
        place.event("identified", user_id=user_id, email=email),
    ]}  # fmt: skip
    answer = await place.client.post("/v1/events", params={"key": place.write}, json=batch)
    assert answer.json()["accepted"] == 2, answer.text


@pytest.mark.parametrize("by", ["visitor", "user_id", "email"])
async def test_an_erasure_and_an_export_know_the_address_that_a_customer_had_before(place: Place, by: str) -> None:
    await _say(place, place.visitor, "c-1", FORMER)
    await _say(place, place.visitor, "c-1", LATER)
    await _say(place, str(UUID(int=7)), "c-2", OTHERS)
    async with place.services.database.transaction(place.project) as tx:
        for address in (FORMER, LATER, OTHERS):
            row = {"channel": "email", "recipient": address, "reason": "opted_out", "at": func.now()}
            tx.add(Suppression(project_id=place.project, **row))
    who = {by: {"visitor": place.visitor, "user_id": "c-1", "email": LATER}[by]}
    asked = await place.ask("POST", "/v1/privacy/requests", json={"kind": "export", **who})
    handed = await place.ask("GET", f"/v1/privacy/requests/{asked['id']}/export")
    assert {row["recipient"] for row in handed["suppression"]} == {FORMER, LATER}
    await place.ask("POST", "/v1/privacy/requests", json={"kind": "erase", **who})
    assert await carry_out(place.services.database, place.services.profiles.forget) == 1
    async with place.services.database.transaction(place.project) as tx:
        assert list(await tx.scalars(select(Suppression.recipient))) == [OTHERS]
        assert set(await tx.scalars(select(IdentityLink.name))) == {"c-2", OTHERS}
