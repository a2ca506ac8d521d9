"""GET /v1/lift: from visits and orders to a verdict in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import select, update

from insights.models import Decision, Shop
from insights.worker import ensure_partitions
from tests.api.conftest import Api
from tests.learning.shop import MadeShop

BEGAN = datetime.now(UTC) - timedelta(days=10)


async def filled(api: Api, people: int, share: float, rate: float, rate_held_out: float) -> None:
    await ensure_partitions(api.services.database)
    said = {"holdout": share, "margin_rate": 0.3, "currency": "EUR"}
    assert (await api.client.patch("/v1/shop", json=said, headers=api.headers)).status_code == 200
    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(update(Shop).values(holdout_since=BEGAN))
    shop, rng = MadeShop(api.services.database, api.project_id), np.random.default_rng(1)
    for number in range(people):
        held = bool(rng.random() < share)
        buys = 2_000 if rng.random() < (rate_held_out if held else rate) else None
        at = BEGAN + timedelta(minutes=number)
        await (shop.held_out(buys=buys, at=at) if held else shop.visit(buys=buys, at=at))


async def test_a_lift_is_told_with_its_interval_by_action_and_by_day(api: Api) -> None:
    await filled(api, 500, share=0.5, rate=0.6, rate_held_out=0.2)
    lift = (await api.client.get("/v1/lift", params={"by": "action"}, headers=api.headers)).json()
    assert lift["treated"] + lift["held_out"] == 500
    assert lift["conversion"]["verdict"] == "more"
    assert lift["conversion"]["words"].startswith("It works: ")
    assert 0 < lift["conversion"]["difference"]["low"] < 0.4 < lift["conversion"]["difference"]["high"]
    assert lift["conversion"]["ratio"]["low"] > 0
    assert lift["margin"]["difference"]["value"] == pytest.approx(240, abs=60)
    assert not lift["balance"]["alarm"]
    assert [(group["name"], group["conversion_believed"]) for group in lift["groups"]] == [("cart_save", True)]
    assert lift["daily"][-1]["conversion"]["value"] == pytest.approx(lift["conversion"]["difference"]["value"])


async def test_a_share_that_is_not_kept_is_said_before_any_figure(api: Api) -> None:
    await filled(api, 250, share=0.5, rate=0.3, rate_held_out=0.3)
    await api.client.patch("/v1/shop", json={"holdout": 0.2}, headers=api.headers)
    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(update(Shop).values(holdout_since=BEGAN, holdout_before=0.0))
    lift = (await api.client.get("/v1/lift", headers=api.headers)).json()
    assert lift["balance"]["alarm"]
    assert lift["conversion"]["words"].startswith("Do not believe these figures: ")


async def test_changing_the_share_begins_the_measurement_anew_and_nothing_else_does(api: Api) -> None:
    async def since() -> datetime | None:
        async with api.services.database.transaction(api.project_id) as tx:
            return await tx.scalar(select(Shop.holdout_since))

    await api.client.patch("/v1/shop", json={"contact_href": "/help"}, headers=api.headers)
    assert await since() is None
    await api.client.patch("/v1/shop", json={"holdout": 0.1}, headers=api.headers)
    first = await since()
    assert first is not None
    await api.client.patch("/v1/shop", json={"holdout": 0.1, "contact_href": "/"}, headers=api.headers)
    assert await since() == first


async def test_who_was_held_out_before_nobody_was_is_left_out_when_the_same_people_are_again(api: Api) -> None:
    await filled(api, 10, share=0.5, rate=0.3, rate_held_out=0.1)
    for share in (0.0, 0.5):
        assert (await api.client.patch("/v1/shop", json={"holdout": share}, headers=api.headers)).status_code == 200
    shop, again = MadeShop(api.services.database, api.project_id), BEGAN + timedelta(days=1)
    async with api.services.database.transaction(api.project_id) as tx:
        await tx.execute(update(Shop).values(holdout_since=again))
        people = (await tx.scalars(select(Decision.visitor_id))).all()
    for visitor in people:
        await shop.visit(visitor=visitor, at=again + timedelta(hours=1))
    new = await shop.visit(at=again + timedelta(hours=1))
    assert new.visitor not in people
    lift = (await api.client.get("/v1/lift", headers=api.headers)).json()
    assert (lift["treated"], lift["held_out"], lift["waiting"]) == (1, 0, 0)


async def test_without_a_holdout_it_says_how_to_begin(api: Api) -> None:
    answer = await api.client.get("/v1/lift", headers=api.headers)
    assert answer.status_code == 200
    assert answer.json()["conversion"]["verdict"] == "cannot tell"
    assert "PATCH /v1/shop" in answer.json()["conversion"]["words"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"by": "colour"}, "by"),
        ({"days": "0"}, "days"),
        ({"detect": "nan"}, "detect"),
        ({"since": "2026-01-01T00:00:00"}, "since"),
        ({"since": "2026-03-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"}, "since"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_by_name(api: Api, query: dict[str, str], field: str) -> None:
    answer = await api.client.get("/v1/lift", params=query, headers=api.headers)
    assert answer.status_code in (400, 422)
    assert field in answer.text


async def test_nobody_asks_without_the_secret_key(api: Api) -> None:
    assert (await api.client.get("/v1/lift")).status_code == 401


async def test_a_call_that_forgot_to_say_that_it_is_json_is_told_so(api: Api) -> None:
    answer = await api.client.patch("/v1/shop", content='{"holdout": 0.1}', headers=api.headers)
    assert answer.status_code == 422
    assert answer.json()["detail"] == "body: send JSON, with Content-Type: application/json."
