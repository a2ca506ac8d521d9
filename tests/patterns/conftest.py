"""Whoever looks for patterns, on a clock that stands still, and with a model only where a test brings one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from adapters.llm.port import LanguageModel
from adapters.postgres.engine import Database
from insights.classification.book import AnswerBook
from insights.classification.calibration import shipped_calibrations
from insights.classification.pricing import Prices
from insights.classification.projects import ProjectClassifiers
from insights.classification.wish_store import WishStore
from insights.classification.wishes import Endpoint, InsightWishes
from insights.patterns.look import Looker
from insights.patterns.tell import Teller
from insights.sealing import Sealer
from tests.patterns.shop import NOW, Weeks

SECRET = b"a secret of thirty-two characters"

Lookers = Callable[..., Looker]


@pytest.fixture
def weeks(project_id: UUID) -> Weeks:
    return Weeks(project_id)


@pytest.fixture
def lookers(database: Database) -> Lookers:
    """Makes one at a time of day, with or without a model."""

    def make(at: datetime = NOW, model: LanguageModel | None = None, *, ceiling: float | None = None) -> Looker:
        endpoint = None if model is None else Endpoint("http://model.test/v1", model.name)

        async def opened(_: Endpoint) -> LanguageModel:
            assert model is not None
            return model

        classifiers = ProjectClassifiers(
            database,
            WishStore(Sealer([SECRET]), allow_private=True),
            defaults=InsightWishes(endpoint, 0.5, prices=Prices(1.0, 4.0), daily_ceiling=ceiling),
            deadline=timedelta(seconds=2),
            open_model=opened,  # type: ignore[arg-type, return-value]
            calibrations=shipped_calibrations(),
            book=AnswerBook(database, lambda: at),
        )
        return Looker(database, Teller(database, classifiers, timedelta(seconds=2)), lambda: at)

    return make
