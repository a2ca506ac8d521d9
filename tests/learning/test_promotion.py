"""Challengers take over only when the data say so, and can be sent back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import select

from adapters.postgres.engine import Database
from insights.errors import Conflict, Refused
from insights.learning.evaluation import evaluate
from insights.learning.learner import Learner
from insights.learning.promotion import challenge, judge, promote, roll_back
from insights.models import Policy
from insights.policies.memory import BUCKET
from insights.policies.policy import Settings
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.withheld import NO_ROOM
from tests.learning.shop import BEGAN, MadeShop

CART_SAVE, NOTHING = LiveAction.CART_SAVE, LiveAction.DO_NOTHING
NOW = datetime.now(UTC)


async def incumbent(shop: MadeShop) -> str:
    async with shop.database.transaction(shop.project_id) as tx:
        return (await tx.scalars(select(Policy.name).where(Policy.role == "incumbent"))).one()


async def test_with_too_little_data_nothing_is_ranked_nor_promoted(shop: MadeShop, learner: Learner) -> None:
    await shop.crowd(120, {CART_SAVE: 0.5, NOTHING: 0.1})
    await learner.learn(shop.project_id)
    async with shop.database.transaction(shop.project_id) as tx:
        rival = await challenge(tx, shop.project_id, "keen", {"gamma": 64.0}, NOW)
        evaluation = await judge(tx, shop.project_id, rival.id, NOW)
        assert evaluation.verdict == "cannot tell"
        assert "1,000 are needed" in evaluation.why
        with pytest.raises(Conflict, match="Not promoted"):
            await promote(tx, shop.project_id, rival.id, NOW)
    assert await incumbent(shop) == "first"


async def test_a_policy_that_earns_more_is_promoted_recorded_and_can_be_rolled_back(
    shop: MadeShop, learner: Learner, database: Database
) -> None:
    # What it learns from, then what it is judged by.
    await shop.crowd(1_000, {CART_SAVE: 0.9, NOTHING: 0.1})
    since = BEGAN + timedelta(hours=20)
    await shop.crowd(2_200, {CART_SAVE: 0.9, NOTHING: 0.1}, seed=2, at=since + timedelta(minutes=1))
    await learner.learn(shop.project_id)
    async with database.transaction(shop.project_id) as tx:
        rival = await challenge(tx, shop.project_id, "sampler", {"explorer": "thompson"}, NOW)
        now = datetime.now(UTC)
        change = await promote(tx, shop.project_id, rival.id, now, now - since)
    assert change.kind == "promoted"
    assert change.evaluation is not None
    assert change.evaluation["verdict"] == "better"
    assert change.evaluation["earned"]["value"] == pytest.approx(0.5, abs=0.06)
    assert change.evaluation["estimates"][0]["value"] > 0.6
    assert await incumbent(shop) == "sampler"
    async with database.transaction(shop.project_id) as tx:
        with pytest.raises(Conflict, match="decides already"):
            await promote(tx, shop.project_id, rival.id, NOW)
    async with database.transaction(shop.project_id) as tx:
        back = await roll_back(tx, shop.project_id, datetime.now(UTC))
    assert back.kind == "rolled_back"
    assert await incumbent(shop) == "first"


async def test_what_nobody_saw_makes_no_estimate_of_another_policy_wrong(shop: MadeShop, learner: Learner) -> None:
    chances = {CART_SAVE.value: 0.5, NOTHING.value: 0.5}
    for number in range(600):
        # Half of what was to be shown never was; what was brings nine orders of ten, and nothing one of ten.
        saved, buys = number % 2 == 0, (number // 4) % 10
        await shop.visit(
            CART_SAVE if saved else NOTHING,
            shown=number % 4 == 0,
            probabilities=chances,
            buys=2_000 if (buys < 9 if saved else buys < 1) else None,
        )
    await learner.learn(shop.project_id)
    async with shop.database.transaction(shop.project_id) as tx:
        rival = await challenge(tx, shop.project_id, "keen", {"gamma": 64.0}, NOW)
        evaluation = await judge(tx, shop.project_id, rival.id, NOW)
    assert evaluation.earned.n == 450
    assert evaluation.earned.value == pytest.approx(0.5, abs=0.03)
    robust, normalised, plain = evaluation.estimates
    assert normalised.value == pytest.approx(robust.value, abs=0.03)
    assert plain.value == pytest.approx(robust.value, abs=0.05)


async def test_an_action_that_is_never_seen_makes_no_equal_look_better(shop: MadeShop, learner: Learner) -> None:
    chances = {CART_SAVE.value: 0.5, LiveAction.TRUST_CARD.value: 0.3, NOTHING.value: 0.2}
    for number in range(2_200):
        # Every other visitor buys, whatever they get; the card never loads.
        drawn = CART_SAVE if number % 10 < 5 else LiveAction.TRUST_CARD if number % 10 < 8 else NOTHING
        await shop.visit(
            drawn,
            shown=drawn is CART_SAVE,
            probabilities=chances,
            buys=5_000 if (number // 10) % 2 else None,
        )
    await learner.learn(shop.project_id)
    async with shop.database.transaction(shop.project_id) as tx:
        since = BEGAN - timedelta(hours=1)
        evaluation = await evaluate(tx, shop.project_id, Settings(), since, datetime.now(UTC))
    assert evaluation.earned.value == pytest.approx(0.5)
    assert evaluation.estimates[0].value == pytest.approx(0.5, abs=0.01)
    assert evaluation.verdict == "not better"


async def test_what_found_no_room_makes_no_estimate_of_another_policy_wrong(shop: MadeShop, learner: Learner) -> None:
    chances = {CART_SAVE.value: 0.8, NOTHING.value: 0.2}
    for number in np.random.default_rng(1).permutation(600).tolist():
        # Of five draws four are of what brings nine orders of ten, and of them three find its budget spent.
        saved, room, buys = number % 5 < 4, number % 5 == 0, (number // 5) % 10
        shown = saved and room
        await shop.visit(
            CART_SAVE if shown else NOTHING,
            probabilities=chances,
            policy="learned-1" if room or not saved else NO_ROOM,
            held_back=CART_SAVE if saved and not room else None,
            buys=2_000 if (buys < 9 if shown else buys < 1) else None,
        )
    await learner.learn(shop.project_id)
    async with shop.database.transaction(shop.project_id) as tx:
        rival = await challenge(tx, shop.project_id, "keen", {"gamma": 64.0}, NOW)
        evaluation = await judge(tx, shop.project_id, rival.id, NOW)
    assert evaluation.earned.n == 240
    # It would draw as the rules do nineteen times of twenty: 0.95 * 0.9 + 0.05 * 0.1.
    assert evaluation.earned.value == pytest.approx(0.8 * 0.9 + 0.2 * 0.1)
    robust, normalised, plain = evaluation.estimates
    for one in (robust, normalised, plain):
        assert one.value == pytest.approx(0.86, abs=0.02)


async def drawn(shop: MadeShop, count: int, saved: int, at: datetime, *, shown: bool = True) -> None:
    """Visits of whom ``saved`` of ten are shown the cart, which brings nine orders of ten; the others bring one."""
    chances = {CART_SAVE.value: saved / 10, NOTHING.value: 1 - saved / 10}
    for place, number in enumerate(np.random.default_rng(1).permutation(count).tolist()):
        is_saved, buys = number % 10 < saved, number // 10 % 10
        await shop.visit(
            CART_SAVE if is_saved else NOTHING,
            probabilities=chances,
            policy="learned-1",
            shown=shown,
            buys=2_000 if (buys < 9 if is_saved and shown else buys < 1) else None,
            at=at + timedelta(seconds=place),
        )


async def test_what_was_drawn_before_the_decisions_that_are_judged_is_no_part_of_how_often_one_is_seen(
    shop: MadeShop, learner: Learner
) -> None:
    # On the first day nobody saw what the cart was to show; then it was mended.
    await drawn(shop, 300, 5, BEGAN, shown=False)
    begin = BEGAN + timedelta(hours=3)
    await drawn(shop, 200, 5, begin)
    await learner.learn(shop.project_id)
    async with shop.database.transaction(shop.project_id) as tx:
        found = await evaluate(tx, shop.project_id, Settings(), BEGAN, NOW, most=200)
    assert (found.since, found.earned.n) == (begin, 200)
    assert found.earned.value == pytest.approx(0.5 * 0.9 + 0.5 * 0.1)
    for one in found.estimates:
        # It would draw as the rules do nineteen times of twenty.
        assert one.value == pytest.approx(0.86, abs=0.02)


async def test_what_was_forgotten_is_no_part_of_how_often_an_action_is_seen(shop: MadeShop, learner: Learner) -> None:
    # At first nearly always drawn; when that was forgotten, seldom.
    await drawn(shop, 200, 9, BEGAN)
    await shop.learns_long(learner)
    begin = BEGAN + timedelta(hours=3)
    await drawn(shop, BUCKET, 3, begin)
    await learner.learn(shop.project_id)
    await drawn(shop, 400, 3, BEGAN + timedelta(hours=6))
    await learner.learn(shop.project_id)
    async with shop.database.transaction(shop.project_id) as tx:
        found = await evaluate(tx, shop.project_id, Settings(), BEGAN, NOW)
    assert found.since > begin
    assert found.earned.value == pytest.approx(0.3 * 0.9 + 0.7 * 0.1, abs=0.01)
    for one in found.estimates:
        assert one.value == pytest.approx(0.86, abs=0.04)


async def test_there_is_nothing_to_go_back_to_at_first(shop: MadeShop) -> None:
    async with shop.database.transaction(shop.project_id) as tx:
        with pytest.raises(Conflict, match="no earlier policy"):
            await roll_back(tx, shop.project_id, NOW)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"gama": 1.0}, "settings.gama"),
        ({"explorer": "dice"}, "dice"),
        ({"gamma": 0}, "settings.gamma"),
        ({"floor": 0.5}, "settings.floor"),
        ({"ridge": "much"}, "settings.ridge"),
        ({"pool": float("nan")}, "settings.pool"),
    ],
)
async def test_settings_that_make_no_policy_are_refused_by_name(
    shop: MadeShop, settings: dict[str, object], field: str
) -> None:
    async with shop.database.transaction(shop.project_id) as tx:
        with pytest.raises(Refused, match=field):
            await challenge(tx, shop.project_id, "odd", settings, NOW)


async def test_two_policies_have_two_names(shop: MadeShop) -> None:
    with pytest.raises(Conflict, match="choose another name"):
        async with shop.database.transaction(shop.project_id) as tx:
            await challenge(tx, shop.project_id, "a", {}, NOW)
            await challenge(tx, shop.project_id, "a", {}, NOW)
