"""One classifier a project, by the project's own settings; models of the same endpoint are shared."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from adapters.llm.openai_request import OPENAI_URL, first_request
from adapters.llm.port import LanguageModel
from adapters.postgres.engine import Database
from insights.classification.book import Book
from insights.classification.calibration import Calibrations
from insights.classification.classify import OVERTIME, Classified, Classifier
from insights.classification.parse import ReasonGiven
from insights.classification.preview import Preview
from insights.classification.pricing import Prices
from insights.classification.prompt import Wishes
from insights.classification.wish_store import WishStore
from insights.classification.wishes import Endpoint, InsightWishes
from insights.timeline.timeline import Timeline

KEPT_S: Final = 10.0
"""Settings that were changed in another process are seen this much later, at most."""
MOST_MODELS: Final = 200
MOST_PROJECTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Speaker:
    """A project's model for anything that is not the reason of a session, under the same deadline and ceiling."""

    model: LanguageModel
    language: str
    deadline: timedelta
    prices: Prices
    ceiling_micros: int | None
    book: Book


@dataclass(frozen=True, slots=True)
class _Kept:
    classifier: Classifier
    until: float


class ProjectClassifiers:
    """Names the reasons of every project's sessions, each as that project wants it."""

    def __init__(
        self,
        database: Database,
        store: WishStore,
        *,
        defaults: InsightWishes,
        deadline: timedelta,
        open_model: Callable[[Endpoint], Awaitable[LanguageModel]],
        calibrations: Calibrations,
        book: Book,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._store = store
        self._defaults = defaults
        self._deadline = deadline
        self._open = open_model
        self._calibrations = calibrations
        self._book = book
        self._clock = clock
        self._models: dict[Endpoint, LanguageModel] = {}
        self._opening = asyncio.Lock()
        self._kept: dict[UUID, _Kept] = {}

    @property
    def slowest(self) -> timedelta:
        return timedelta(0) if self._defaults.endpoint is None else self._deadline + OVERTIME

    async def slowest_for(self, project_id: UUID) -> timedelta:
        return (await self.of(project_id)).slowest

    async def classify(self, timeline: Timeline, *, fresh: bool = False) -> Classified:
        return await (await self.of(timeline.project_id)).classify(timeline, fresh=fresh)

    async def of(self, project_id: UUID) -> Classifier:
        """The classifier of a project, as its settings were at most ten seconds ago."""
        kept = self._kept.get(project_id)
        if kept is not None and self._clock() < kept.until:
            return kept.classifier
        classifier = await self._built(await self.wishes(project_id))
        if len(self._kept) >= MOST_PROJECTS:
            self._kept.clear()
        self._kept[project_id] = _Kept(classifier, self._clock() + KEPT_S)
        return classifier

    async def wishes(self, project_id: UUID) -> InsightWishes:
        """What the project wants now."""
        async with self._database.transaction(project_id) as tx:
            return await self._store.read(tx, project_id, self._defaults)

    async def speaker(self, project_id: UUID) -> Speaker | None:
        """The model that the project wants now; None where it wants none."""
        wishes = await self.wishes(project_id)
        if wishes.endpoint is None:
            return None
        return Speaker(
            await self._model(wishes.endpoint),
            wishes.language,
            self._deadline,
            wishes.prices,
            None if wishes.daily_ceiling is None else round(wishes.daily_ceiling * 1_000_000),
            self._book,
        )

    async def preview(self, timeline: Timeline) -> Preview:
        """Exactly what is, or would be, sent about a session."""
        endpoint = (await self.wishes(timeline.project_id)).endpoint
        question = (await self.of(timeline.project_id)).question(timeline)
        model = endpoint.model if endpoint is not None else "(none)"
        return Preview(
            address=None if endpoint is None else f"{endpoint.base_url or OPENAI_URL}/chat/completions",
            model=None if endpoint is None else endpoint.model,
            body=first_request(model, question.prompt, ReasonGiven),
            events=len(question.events),
            of=len(timeline.events),
            by_a_bot=timeline.by_a_bot,
        )

    def forget(self, project_id: UUID) -> None:
        """The project's settings have changed."""
        self._kept.pop(project_id, None)

    async def close(self) -> None:
        """Closes the connections of every model."""
        models, self._models = self._models, {}
        for model in models.values():
            await model.close()

    async def _built(self, wishes: InsightWishes) -> Classifier:
        return Classifier(
            None if wishes.endpoint is None else await self._model(wishes.endpoint),
            threshold=wishes.threshold,
            deadline=self._deadline,
            calibrations=self._calibrations,
            wishes=Wishes(wishes.language, wishes.withheld),
            prices=wishes.prices,
            ceiling=wishes.daily_ceiling,
            book=self._book,
        )

    async def _model(self, endpoint: Endpoint) -> LanguageModel:
        # One at a time: whoever asks for the same endpoint meanwhile gets the same model.
        async with self._opening:
            model = self._models.pop(endpoint, None)
            if model is None:
                model = await self._open(endpoint)
            # The one unused for longest goes; a question of it that is under way ends with its own client.
            while len(self._models) >= MOST_MODELS:
                self._models.pop(next(iter(self._models)))
            self._models[endpoint] = model
        return model
