"""A reason that changes, and changes back: what was planned for it is neither lost nor planned twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from insights.classification.classify import Classified, Classifier
from insights.timeline.timeline import Timeline
from insights.vocabulary.reasons import Reason
from tests.classification.shop import FAILING, GRACE, Shop
from tests.classification.visits import add, page


class Opinionated(Classifier):
    """Says what it is told to say."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(None, threshold=0.5, deadline=timedelta(seconds=5))
        self._reason = reason

    async def classify(self, timeline: Timeline, *, fresh: bool = False) -> Classified:
        classified = await super().classify(timeline)
        return replace(classified, verdict=replace(classified.verdict, reason=self._reason, confidence=0.9))


@pytest.fixture
async def shop(shop: Shop) -> Shop:
    await shop.publish_flows()
    return shop


async def planned(shop: Shop) -> list[tuple[str, str]]:
    """(reason, status) of every run, oldest first."""
    return [(run.facts["insight"]["reason"], run.status) for run in await shop.runs()]


async def test_a_reason_that_comes_back_is_planned_for_again(shop: Shop) -> None:
    session = await shop.visit(*FAILING)
    shop.later()
    await shop.close_all(shop.closer(Opinionated(Reason.PRICE_HESITATION)))
    for reason in (Reason.UX_FRICTION, Reason.PRICE_HESITATION):
        shop.later(timedelta(minutes=1))
        await shop.closer(Opinionated(reason)).classify_session(shop.project_id, session)
        assert (await shop.session(session)).reason == reason
    assert await planned(shop) == [
        ("price_hesitation", "cancelled"),
        ("ux_friction", "cancelled"),
        ("price_hesitation", "waiting"),
    ]


async def test_a_reason_that_stays_is_planned_for_once(shop: Shop) -> None:
    session = await shop.visit(*FAILING)
    shop.later()
    await shop.close_all(shop.closer(Opinionated(Reason.PRICE_HESITATION)))
    for _ in range(2):
        shop.later(timedelta(minutes=1))
        await shop.closer(Opinionated(Reason.PRICE_HESITATION)).classify_session(shop.project_id, session)
    assert len(await shop.insights(session)) == 3
    assert await planned(shop) == [("price_hesitation", "waiting")]


async def test_what_arrives_late_is_in_what_was_planned_and_not_yet_sent(shop: Shop) -> None:
    visitor = uuid4()
    session = await shop.visit(page("/mug"), add("mug", 1450), *FAILING[1:], visitor=visitor)
    shop.later()
    await shop.close_all()
    before = {run.id: run.facts["cart"]["value_minor"] for run in await shop.runs()}
    assert before
    assert set(before.values()) == {1450}
    now, shop.now = shop.now, (await shop.session(session)).started_at + timedelta(seconds=13)
    await shop.visit(add("jug", 4450, after=0), session=session, visitor=visitor, received=now)
    shop.now = now + GRACE
    await shop.close_all()
    after = {run.id: run.facts["cart"]["value_minor"] for run in await shop.runs()}
    assert after.keys() == before.keys()
    assert set(after.values()) == {4450}
