"""A reason that changes, and changes back: what was planned for it is neither lost nor planned twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from adapters.postgres.engine import Database
from insights.classification.classify import Classified, Classifier
from insights.timeline.timeline import Timeline
from insights.vocabulary.reasons import Reason
from tests.classification.shop import FAILING, Shop


class Opinionated(Classifier):
    """Says what it is told to say."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(None, threshold=0.5, deadline=timedelta(seconds=5))
        self._reason = reason

    async def classify(self, timeline: Timeline, *, fresh: bool = False) -> Classified:
        classified = await super().classify(timeline)
        return replace(classified, verdict=replace(classified.verdict, reason=self._reason, confidence=0.9))


@pytest.fixture
async def shop(database: Database, project_id: UUID) -> AsyncIterator[Shop]:
    shop = Shop(database, project_id)
    await shop.publish_flows()
    yield shop
    await shop.stop()


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
