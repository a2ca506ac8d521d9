"""What people say of insights, and the gold that becomes of it."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from insights.errors import NotFound, Refused
from insights.evaluation.feedback import gold_of, only_called_wrong, say
from insights.evaluation.gold import as_file, read_stories
from insights.vocabulary.reasons import Reason
from tests.classification.conftest import shop
from tests.classification.shop import FAILING, Shop
from tests.classification.visits import order

__all__ = ["shop"]


async def closed(shop: Shop) -> UUID:
    session = await shop.visit(*FAILING)
    shop.later()
    await shop.closer().close_due()
    return session


async def test_the_last_word_counts_and_becomes_gold(shop: Shop, tmp_path: Path) -> None:
    session = await closed(shop)
    async with shop.database.transaction(shop.project_id) as tx:
        await say(tx, shop.project_id, session, "right", None, shop.now)
        assert [story.answers for story in await gold_of(tx, shop.project_id)] == [{Reason.TECHNICAL_ERROR}]
        await say(tx, shop.project_id, session, "other", Reason.UX_FRICTION, shop.now)
        (story,) = await gold_of(tx, shop.project_id)
    assert story.answers == {Reason.UX_FRICTION}
    path = tmp_path / "gold.json"
    path.write_bytes(as_file([story]))
    (again,) = read_stories(path)
    assert again.answers == story.answers
    assert [event.type for event in again.timeline.events] == [step[1] for step in FAILING]


async def test_a_bare_wrong_says_what_it_was_not_and_is_no_gold(shop: Shop) -> None:
    session = await closed(shop)
    async with shop.database.transaction(shop.project_id) as tx:
        kept = await say(tx, shop.project_id, session, "wrong", None, shop.now)
        assert kept.reason is None
        assert await gold_of(tx, shop.project_id) == []
        assert await only_called_wrong(tx, shop.project_id) == 1
        await say(tx, shop.project_id, session, "other", Reason.UX_FRICTION, shop.now)
        assert await only_called_wrong(tx, shop.project_id) == 0


async def test_what_was_said_before_a_late_order_is_no_gold_after_it(shop: Shop) -> None:
    session = await closed(shop)
    async with shop.database.transaction(shop.project_id) as tx:
        await say(tx, shop.project_id, session, "right", None, shop.now)
    await shop.visit(*FAILING, order(900), session=session)
    async with shop.database.transaction(shop.project_id) as tx:
        assert await gold_of(tx, shop.project_id) == []


async def test_what_cannot_be_is_refused(shop: Shop) -> None:
    session = await closed(shop)
    for said, reason in (
        ("other", None),
        ("other", Reason.URGENCY),
        ("other", Reason.TECHNICAL_ERROR),
        ("right", Reason.UX_FRICTION),
    ):
        with pytest.raises(Refused, match="reason"):
            async with shop.database.transaction(shop.project_id) as tx:
                await say(tx, shop.project_id, session, said, reason, shop.now)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        async with shop.database.transaction(shop.project_id) as tx:
            await say(tx, shop.project_id, uuid4(), "right", None, shop.now)
