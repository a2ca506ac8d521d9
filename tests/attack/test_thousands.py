"""A thousand at once after what may be given once, or three times: nobody gets more than there is."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from adapters.postgres.engine import Database
from insights.errors import CodeNotRedeemable
from tests.api.conftest import Api, api
from tests.api.test_live_actions import ask, discount, leaves_with_a_cart, with_margin
from tests.recovery.test_codes import issue, redeem

__all__ = ["api"]

THOUSAND = 1_000
AT_ONCE = 50
"""More than there are connections to the database; how many wait for one is not what is tried."""


async def a_thousand(do: Callable[[], Awaitable[Any]]) -> list[Any]:
    seats = asyncio.Semaphore(AT_ONCE)

    async def one() -> Any:
        async with seats:
            return await do()

    return await asyncio.gather(*(one() for _ in range(THOUSAND)), return_exceptions=True)


async def test_of_a_thousand_uses_of_one_code_one_succeeds(database: Database, project_id: Any) -> None:
    issued = await issue(database, project_id, "run/mail")
    outcomes = await a_thousand(lambda: redeem(database, project_id, issued.code))
    assert outcomes.count(10) == 1
    assert sum(isinstance(outcome, CodeNotRedeemable) for outcome in outcomes) == THOUSAND - 1


async def test_a_thousand_fresh_visitor_ids_of_one_device_get_no_more_than_the_cap(api: Api) -> None:
    await with_margin(api)
    await ask(api, "POST", "/v1/live-actions", json=discount(incentive={"percent": 10, "per_device": 3}))
    shown = await a_thousand(lambda: leaves_with_a_cart(api, **{"user-agent": "Farmer/1.0"}))
    assert not [one for one in shown if isinstance(one, BaseException)]
    assert Counter(one["action"] for one in shown if one is not None)["discount_popup"] == 3
