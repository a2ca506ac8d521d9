"""From stored visits to rewards, sums, snapshots and the plan that decides next."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import func, select, update

from adapters.postgres.engine import Database
from flows.models import Conversion
from insights.decisions.plan import ARM, ARMS
from insights.decisions.situation import NAMES, VERSION
from insights.learning.learner import Learner
from insights.learning.snapshots import remember
from insights.models import DiscountCode, PolicyBucket, PolicySnapshot, Reward, Session, Shop
from insights.plans.book import PlanBook
from insights.plans.shop import change_shop
from insights.policies.memory import BUCKET, FADES
from insights.policies.policy import Settings
from insights.policies.sums import Sums
from insights.recovery.codes import issue, redeem
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.withheld import WITHHELD
from tests.learning.shop import MadeShop, Visited

CART_SAVE, NOTHING = LiveAction.CART_SAVE, LiveAction.DO_NOTHING


async def reward_of(shop: MadeShop, visited: Visited) -> tuple[float, str] | None:
    async with shop.database.transaction(shop.project_id) as tx:
        found = await tx.scalar(select(Reward).where(Reward.decision_id == visited.decision))
    return None if found is None else (found.value, found.outcome)


async def sums_of(shop: MadeShop) -> Sums:
    total = Sums.empty(len(ARMS), len(NAMES))
    async with shop.database.transaction(shop.project_id) as tx:
        for data in await tx.scalars(select(PolicyBucket.sums).where(PolicyBucket.project_id == shop.project_id)):
            assert data is not None
            total.merge(Sums.of_bytes(len(ARMS), len(NAMES), data))
    return total


async def set_margin(shop: MadeShop, rate: float) -> None:
    async with shop.database.transaction(shop.project_id) as tx:
        tx.add(Shop(project_id=shop.project_id, margin_rate=rate, currency="EUR"))


async def test_an_order_after_a_decision_is_its_reward_and_none_before_or_long_after(
    shop: MadeShop, learner: Learner
) -> None:
    bought = await shop.visit(buys=5_000)
    left = await shop.visit()
    late = await shop.visit(buys=5_000, bought_after=timedelta(hours=25))
    before = await shop.visit(buys=5_000, bought_after=timedelta(minutes=-1))
    await learner.learn(shop.project_id)
    assert await reward_of(shop, bought) == (1.0, "converted")
    assert await reward_of(shop, left) == (0.0, "bounced")
    assert (await reward_of(shop, late) or (None,))[0] == 0.0
    assert (await reward_of(shop, before) or (None,))[0] == 0.0


async def test_an_outsized_order_counts_as_twenty_usual_ones(shop: MadeShop, learner: Learner) -> None:
    await set_margin(shop, 0.3)
    huge = await shop.visit(buys=10**12)
    for _ in range(18):
        await shop.visit(buys=5_000)
    await learner.learn(shop.project_id)
    # Of so few nobody can say what is usual.
    assert (await sums_of(shop)).xr[:, 0].sum() == pytest.approx(0.3 * 10**12 + 18 * 1_500)
    for _ in range(12):
        await shop.visit(buys=5_000)
    await learner.learn(shop.project_id)
    assert (await sums_of(shop)).xr[:, 0].sum() == pytest.approx((20 + 30) * 1_500)
    assert await reward_of(shop, huge) == (0.3 * 10**12, "converted")


async def test_an_action_nobody_saw_has_no_reward_and_doing_nothing_has(shop: MadeShop, learner: Learner) -> None:
    unseen = await shop.visit(shown=False, buys=5_000)
    nothing = await shop.visit(NOTHING, buys=5_000)
    still_there = await shop.visit(closed=False)
    await learner.learn(shop.project_id)
    assert await reward_of(shop, unseen) is None
    assert await reward_of(shop, nothing) == (1.0, "converted")
    assert await reward_of(shop, still_there) is None


async def test_with_a_margin_a_reward_is_what_the_order_leaves(shop: MadeShop, learner: Learner) -> None:
    await set_margin(shop, 0.3)
    bought = await shop.visit(buys=5_000)
    await learner.learn(shop.project_id)
    assert await reward_of(shop, bought) == (1_500.0, "converted")


async def test_what_a_code_took_off_is_off_for_every_decision_before_the_order(
    shop: MadeShop, learner: Learner, database: Database
) -> None:
    """Else to have shown nothing, some pages before the discount, seemed to earn more than the discount."""
    await set_margin(shop, 0.3)
    quiet = await shop.visit(NOTHING)
    offer = await shop.visit(LiveAction.DISCOUNT_POPUP, visitor=quiet.visitor, buys=9_000)
    async with database.transaction(shop.project_id) as tx:
        code = {"code": "C", "issue_key": "of anything", "visitor_id": quiet.visitor, "percent": 10}
        times = {"issued_at": offer.at, "expires_at": datetime.now(UTC), "redeemed_at": offer.at + timedelta(minutes=3)}
        tx.add(DiscountCode(project_id=shop.project_id, **code, **times))
    await learner.learn(shop.project_id)
    for decided in (quiet, offer):
        assert (await reward_of(shop, decided) or (None,))[0] == pytest.approx(2_000)


async def test_a_code_that_is_redeemed_after_its_visit_was_counted_is_taken_off_then(
    shop: MadeShop, learner: Learner, database: Database
) -> None:
    await set_margin(shop, 0.3)
    offer = await shop.visit(LiveAction.DISCOUNT_POPUP, buys=9_000, at=datetime.now(UTC) - timedelta(minutes=50))
    async with database.transaction(shop.project_id) as tx:
        code = await issue(
            tx,
            shop.project_id,
            issue_key="of anything",
            visitor_id=offer.visitor,
            percent=10,
            valid_for=timedelta(days=1),
            now=offer.at,
        )
        # So long ago that the next look does not come by this visit again.
        await tx.execute(update(Session).values(closed_at=datetime.now(UTC) - timedelta(minutes=20)))
    await learner.learn(shop.project_id)
    assert (await reward_of(shop, offer) or (None,))[0] == pytest.approx(2_700)
    async with database.transaction(shop.project_id) as tx:
        assert await redeem(tx, shop.project_id, code.code, datetime.now(UTC)) == 10
    await learner.learn(shop.project_id)
    assert (await reward_of(shop, offer) or (None,))[0] == pytest.approx(2_000)


@pytest.mark.parametrize(
    ("given_back", "left"), [([None], 0.0), ([2_000], 900.0), ([2_000, 2_000], 300.0), ([9_000], 0.0)]
)
async def test_a_refund_turns_a_reward_around(
    shop: MadeShop, learner: Learner, given_back: list[int | None], left: float
) -> None:
    await set_margin(shop, 0.3)
    bought = await shop.visit(buys=5_000)
    await learner.learn(shop.project_id)
    assert bought.order is not None
    for number, value in enumerate(given_back):
        for _copy in range(2):
            await shop.refund(bought.order, value, refund=f"r{number}")
    await learner.learn(shop.project_id)
    found = await reward_of(shop, bought)
    assert found is not None
    assert found[0] == pytest.approx(left)
    sums = await sums_of(shop)
    assert sums.n[ARM[CART_SAVE]] == 1
    assert sums.xr[ARM[CART_SAVE]][0] == pytest.approx(left)


async def test_learning_again_counts_nothing_twice(shop: MadeShop, learner: Learner) -> None:
    for _ in range(5):
        await shop.visit(buys=1_000)
    assert await learner.learn(shop.project_id) == 1
    once = await sums_of(shop)
    for _ in range(3):
        assert await learner.learn(shop.project_id) is None
    async with shop.database.transaction(shop.project_id) as tx:
        await tx.execute(update(Shop).values(learned_through=None))
    await learner.learn(shop.project_id)
    again = await sums_of(shop)
    assert np.array_equal(once.xx, again.xx)
    assert again.n.sum() == 5


async def test_a_late_order_in_a_later_visit_changes_an_earlier_decisions_reward(
    shop: MadeShop, learner: Learner
) -> None:
    looked = await shop.visit()
    await learner.learn(shop.project_id)
    assert (await reward_of(shop, looked) or (None,))[0] == 0.0
    await shop.visit(NOTHING, buys=1_000, visitor=looked.visitor, at=looked.at + timedelta(hours=3))
    await learner.learn(shop.project_id)
    assert (await reward_of(shop, looked) or (None,))[0] == 1.0


async def test_an_order_that_no_visit_ends_with_changes_an_earlier_decisions_reward(
    shop: MadeShop, learner: Learner, database: Database
) -> None:
    visited = await shop.visit(at=datetime.now(UTC) - timedelta(hours=5))
    await learner.learn(shop.project_id)
    assert (await reward_of(shop, visited) or (None,))[0] == 0.0
    async with database.transaction(shop.project_id) as tx:
        # No look back reaches to the visit.
        await tx.execute(update(Session).values(closed_at=datetime.now(UTC) - timedelta(hours=2)))
        told = {"key": "till", "value_minor": 900, "currency": "EUR", "session_id": uuid4()}
        at = visited.at + timedelta(hours=2)
        tx.add(Conversion(project_id=shop.project_id, visitor_id=visited.visitor, occurred_at=at, **told))
    await learner.learn(shop.project_id)
    assert (await reward_of(shop, visited) or (None,))[0] == 1.0


@pytest.mark.parametrize("instead", WITHHELD)
async def test_what_was_withheld_is_kept_and_not_learned_from(shop: MadeShop, learner: Learner, instead: str) -> None:
    held = await shop.visit(NOTHING, policy=instead, buys=1_000)
    await shop.visit()
    await learner.learn(shop.project_id)
    assert await reward_of(shop, held) == (1.0, "converted")
    sums = await sums_of(shop)
    assert sums.n[ARM[NOTHING]] == 0


async def test_many_workers_learn_what_one_would(shop: MadeShop, database: Database) -> None:
    for n in range(60):
        await shop.visit(buys=1_000 if n % 3 == 0 else None)
    many = [Learner(database, lambda: datetime.now(UTC)) for _ in range(6)]
    await asyncio.gather(*(one.learn(shop.project_id) for one in many))
    await many[0].learn(shop.project_id)
    sums = await sums_of(shop)
    assert sums.n.sum() == 60
    assert sums.xr[ARM[CART_SAVE]][0] == 20


async def test_buckets_fill_up_one_after_the_other(shop: MadeShop, learner: Learner) -> None:
    await shop.crowd(BUCKET + 20, {CART_SAVE: 0.2, NOTHING: 0.2})
    await learner.learn(shop.project_id)
    async with shop.database.transaction(shop.project_id) as tx:
        counts = dict(
            (
                await tx.execute(
                    select(Reward.bucket, func.count())
                    .where(Reward.project_id == shop.project_id)
                    .group_by(Reward.bucket)
                )
            ).all()
        )
    assert counts == {1: BUCKET, 2: 20}


async def test_what_was_forgotten_is_no_news_when_it_is_worked_out_again(shop: MadeShop, learner: Learner) -> None:
    await set_margin(shop, 0.3)
    old = await shop.visit(buys=1_000)
    await shop.learns_long(learner)
    late = await shop.visit(buys=1_000)
    await learner.learn(shop.project_id)
    assert await reward_of(shop, old) is None
    assert old.order is not None
    await shop.refund(old.order)
    async with shop.database.transaction(shop.project_id) as tx:
        await change_shop(tx, shop.project_id, {"margin_rate": 0.4}, datetime.now(UTC))
    await learner.learn(shop.project_id)
    assert await reward_of(shop, old) is None
    assert await reward_of(shop, late) == (400.0, "converted")


async def test_a_shop_that_withholds_much_notices_a_change_too(shop: MadeShop) -> None:
    always = np.array([float(name == "always") for name in NAMES])
    async with shop.database.transaction(shop.project_id) as tx:
        for number in range(1, 13):
            sums = Sums.empty(len(ARMS), len(NAMES))
            for _ in range(BUCKET * 2 // 5):
                sums.add(ARM[CART_SAVE], always, 1.0 if number <= 6 else 0.0)
            what = {"situation_version": VERSION, "outcomes": BUCKET * 2 // 5, "sums": sums.to_bytes()}
            tx.add(PolicyBucket(project_id=shop.project_id, number=number, **what))
        await tx.flush()
        learned, chosen = await remember(tx, shop.project_id, Settings())
    assert FADES[chosen] < 1
    assert learned.xr[ARM[CART_SAVE]][0] / learned.n[ARM[CART_SAVE]] < 0.4


async def test_what_was_learned_reaches_a_running_process_and_decides(
    shop: MadeShop, learner: Learner, database: Database
) -> None:
    clock = [0.0]
    book = PlanBook(database, clock=lambda: clock[0])
    assert (await book.plan_of(shop.project_id)).learned is None
    await shop.crowd(400, {CART_SAVE: 0.9, NOTHING: 0.1})
    version = await learner.learn(shop.project_id)
    assert (await book.plan_of(shop.project_id)).learned is None
    clock[0] = 60.0
    await book.plan_of(shop.project_id)
    await book.close()
    learned = (await book.plan_of(shop.project_id)).learned
    assert learned is not None
    assert learned.version == version
    row = np.zeros(len(NAMES))
    row[0] = 1.0
    chances = learned.policy.probabilities(row, [ARM[CART_SAVE], ARM[NOTHING]])
    assert chances[0] > 0.9
    assert learned.policy.experience == pytest.approx(400, abs=1)


async def test_projects_learn_apart(shop: MadeShop, learner: Learner, database: Database, project_id: UUID) -> None:
    await shop.visit(buys=1_000)
    await learner.round()
    async with database.transaction(None) as tx:
        hidden = await tx.scalar(select(func.count()).select_from(PolicySnapshot))
    assert hidden == 0
    async with database.transaction(project_id) as tx:
        assert await tx.scalar(select(func.count()).select_from(PolicySnapshot)) == 1


async def test_a_session_that_opens_again_is_learned_from_again_once_it_ends(shop: MadeShop, learner: Learner) -> None:
    looked = await shop.visit()
    await learner.learn(shop.project_id)
    async with shop.database.transaction(shop.project_id) as tx:
        await tx.execute(update(Session).where(Session.id == looked.session).values(closed_at=None))
    await learner.learn(shop.project_id)
    assert await reward_of(shop, looked) == (0.0, "bounced")
