"""A refund that Shopify tells of turns around what the decision before the order had earned."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from insights.learning.learner import Learner
from insights.worker import ensure_partitions
from tests.api.conftest import Api, api
from tests.learning.shop import MadeShop
from tests.learning.test_learning import reward_of, set_margin
from tests.sources.senders import SECRET, make, signed

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
