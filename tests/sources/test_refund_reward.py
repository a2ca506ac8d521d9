"""A refund, or a discount code, that Shopify tells of changes what the decision before the order had earned."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from insights.learning.learner import Learner
from insights.models import Session
from insights.recovery.codes import issue
from insights.vocabulary.actions import LiveAction
from insights.worker import ensure_partitions
from tests.api.conftest import Api, api
from tests.learning.shop import MadeShop
from tests.learning.test_learning import reward_of, set_margin
from tests.sources.senders import SECRET, make, order, shopify, signed

__all__ = ["api"]


async def test_what_was_given_back_is_no_reward(api: Api) -> None:
    database = api.services.database
    await ensure_partitions(database)
    shop, learner = MadeShop(database, api.project_id), Learner(database, lambda: datetime.now(UTC))
    await set_margin(shop, 0.3)
    bought = await shop.visit(buys=5_000)
    await learner.learn(api.project_id)
    path, _ = await make(api, "shopify", SECRET)
    for number, (amount, left) in enumerate((("20.00", 900.0), ("30.00", 0.0))):
        transactions = [{"kind": "refund", "status": "success", "amount": amount, "currency": "EUR"}]
        refund = {"id": number, "order_id": bought.order, "transactions": transactions}
        body = json.dumps(refund).encode()
        for _ in range(2):
            answer = await api.client.post(path, content=body, headers=signed(body, "refunds/create"))
            assert answer.json()["success"] is True
        await learner.learn(api.project_id)
        found = await reward_of(shop, bought)
        assert found is not None
        assert found[0] == pytest.approx(left)


async def test_a_code_that_shopifys_own_till_took_is_used_up_and_taken_off(api: Api) -> None:
    database, now = api.services.database, datetime.now(UTC)
    await ensure_partitions(database)
    shop, learner = MadeShop(database, api.project_id), Learner(database, lambda: datetime.now(UTC))
    await set_margin(shop, 0.3)
    offer = await shop.visit(LiveAction.DISCOUNT_POPUP, buys=9_000, at=now - timedelta(minutes=30))
    async with database.transaction(api.project_id) as tx:
        whose = {"issue_key": "k", "visitor_id": offer.visitor, "percent": 10, "valid_for": timedelta(days=1)}
        code = (await issue(tx, api.project_id, **whose, now=offer.at)).code  # type: ignore[arg-type]
        # So long ago that the next look does not come by this visit again.
        await tx.execute(update(Session).values(closed_at=now - timedelta(minutes=15)))
    await learner.learn(api.project_id)
    path, _ = await make(api, "shopify", SECRET)
    placed = (offer.at + timedelta(minutes=2)).isoformat()
    codes = [
        {"code": "SUMMER", "amount": "1.00"},
        {"code": code.lower(), "amount": "10.00", "type": "percentage"},
        None,
    ]
    cart = {"whyleft_visitor": str(offer.visitor), "whyleft_session": str(offer.session)}
    told = order(
        created_at=placed,
        total_price="90.00",
        discount_codes=codes,
        note_attributes=[{"name": name, "value": value} for name, value in cart.items()],
    ) | {"id": offer.order}
    await shopify(api, path, "orders/create", told | {"test": True, "id": "tried"})
    await learner.learn(api.project_id)
    assert (await reward_of(shop, offer) or (None,))[0] == pytest.approx(2_700)
    for topic in ("orders/create", "orders/paid"):
        await shopify(api, path, topic, told)
    await learner.learn(api.project_id)
    assert (await reward_of(shop, offer) or (None,))[0] == pytest.approx(2_000)
    again = await api.client.post(f"/v1/codes/{code}/redeem", headers=api.headers)
    assert (again.status_code, again.json()["detail"][:26]) == (409, "This code was used before.")
