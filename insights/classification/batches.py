"""Names the reasons of past sessions through a provider's batch API.

What a batch was asked is kept, so that a process may end meanwhile; its answers are looked up like any answer given
before, and checked like any other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select

from adapters.llm.openai_batch import MOST_QUESTIONS, BatchAnswer, BatchState, OpenAiBatches
from adapters.llm.port import NOTHING_USED, Prompt, Usage
from adapters.postgres.engine import Database
from insights.classification.backfill import Tally
from insights.classification.book import Book
from insights.classification.classify import Classified, Classifier
from insights.classification.closing import SessionCloser
from insights.classification.parse import ReasonGiven
from insights.classification.projects import ProjectClassifiers
from insights.classification.wishes import Endpoint, InsightWishes
from insights.errors import NotFound, Refused, SessionStillOpen
from insights.models import ModelBatch
from insights.timeline.read import read_timeline
from insights.timeline.timeline import Timeline
from insights.vocabulary.ids import uuid7

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch that was handed in and not collected yet."""

    id: UUID
    provider_id: str
    sessions: tuple[UUID, ...]
    reserved_micros: int
    asked_at: datetime
    model: str
    base_url: str


class Batches:
    """Hands in and collects the batches of one project, whose wishes name the model."""

    def __init__(
        self,
        database: Database,
        classifiers: ProjectClassifiers,
        book: Book,
        clock: Callable[[], datetime],
        *,
        opened: Callable[[Endpoint], OpenAiBatches] = lambda e: OpenAiBatches(
            base_url=e.base_url, api_key=e.api_key, model=e.model, public_only=e.public_only
        ),
    ) -> None:
        self._database = database
        self._classifiers = classifiers
        self._book = book
        self._clock = clock
        self._opened = opened

    async def hand_in(
        self, project_id: UUID, sessions: Sequence[UUID], *, told: Callable[[], None] = lambda: None
    ) -> OpenBatch | None:
        """Asks about up to 10,000 sessions in one batch; None when there is nothing to ask.

        Raises Refused without a model, or when the day's ceiling would be passed; BatchFailed.
        """
        wishes = await self._classifiers.wishes(project_id)
        endpoint = _endpoint(wishes)
        classifier = await self._classifiers.of(project_id)
        questions: dict[str, Prompt] = {}
        asked: list[UUID] = []
        async for timeline in self._timelines(project_id, sessions[:MOST_QUESTIONS]):
            told()
            if timeline.events and not timeline.by_a_bot:
                question = classifier.question(timeline)
                questions[question.key(classifier.name)] = question.prompt
                asked.append(timeline.session_id)
        if not questions:
            return None
        now = self._clock()
        reserved = 0
        if wishes.daily_ceiling is not None:
            most = sum((prompt.most(calls=1) for prompt in questions.values()), NOTHING_USED)
            reserved = wishes.prices.micros(most)
            ceiling = round(wishes.daily_ceiling * 1_000_000)
            if await self._book.reserve(project_id, reserved, ceiling) is None:
                raise Refused(
                    f"This batch may cost {reserved / 1_000_000:.2f}, which passes the day's ceiling of "
                    f"{wishes.daily_ceiling}: pass a smaller --limit, or raise daily_ceiling.",
                    field="daily_ceiling",
                )
        async with self._provider(endpoint) as provider:
            try:
                provider_id = await provider.submit(questions, ReasonGiven)
            except BaseException:
                if reserved:
                    await self._book.settle(project_id, now, NOTHING_USED, 0, reserved)
                raise
        batch = OpenBatch(uuid7(), provider_id, tuple(asked), reserved, now, endpoint.model, endpoint.base_url)
        async with self._database.transaction(project_id) as tx:
            tx.add(
                ModelBatch(
                    project_id=project_id,
                    id=batch.id,
                    provider_id=provider_id,
                    base_url=endpoint.base_url,
                    model=endpoint.model,
                    sessions=[str(session_id) for session_id in asked],
                    reserved_micros=reserved,
                    asked_at=now,
                )
            )
        log.info("batch_handed_in", batch=provider_id, questions=len(questions), sessions=len(asked))
        return batch

    async def open(self, project_id: UUID) -> list[OpenBatch]:
        """Batches that were handed in and not collected, the oldest first."""
        async with self._database.transaction(project_id) as tx:
            rows = await tx.scalars(
                select(ModelBatch)
                .where(ModelBatch.project_id == project_id, ModelBatch.done_at.is_(None))
                .order_by(ModelBatch.asked_at)
            )
            return [
                OpenBatch(
                    row.id,
                    row.provider_id,
                    tuple(UUID(value) for value in row.sessions),
                    row.reserved_micros,
                    row.asked_at,
                    row.model,
                    row.base_url,
                )
                for row in rows
            ]

    async def state(self, project_id: UUID, batch: OpenBatch) -> BatchState:
        """How far the provider is. Raises BatchFailed, Refused when the project's endpoint is another now."""
        async with self._provider(await self._endpoint_of(project_id, batch)) as provider:
            return await provider.state(batch.provider_id)

    async def collect(
        self, project_id: UUID, batch: OpenBatch, state: BatchState, *, told: Callable[[], None] = lambda: None
    ) -> Tally:
        """Writes the insights of a batch that is done or has failed, and what it took. Twice is once."""
        answers: dict[str, BatchAnswer] = {}
        if state.output is not None:
            async with self._provider(await self._endpoint_of(project_id, batch)) as provider:
                answers = {answer.key: answer for answer in await provider.answers(state.output)}
        usage = sum((answer.usage for answer in answers.values()), NOTHING_USED)
        tally = await self._apply(project_id, batch, answers, told)
        wishes = await self._classifiers.wishes(project_id)
        async with self._database.transaction(project_id) as tx:
            row = await tx.get_one(ModelBatch, (project_id, batch.id), with_for_update=True)
            if row.done_at is not None:
                return tally
            row.done_at = self._clock()
            row.outcome = asdict(tally)
        await self._book.settle(project_id, batch.asked_at, usage, wishes.prices.micros(usage), batch.reserved_micros)
        log.info("batch_collected", batch=batch.provider_id, **asdict(tally))
        return tally

    async def _apply(
        self, project_id: UUID, batch: OpenBatch, answers: Mapping[str, BatchAnswer], told: Callable[[], None]
    ) -> Tally:
        classifier = await self._classifiers.of(project_id)
        given = {key: answer.answer for key, answer in answers.items() if answer.answer is not None}
        closer = SessionCloser(self._database, _Answered(classifier, given), self._clock)
        tally = Tally()
        async for timeline in self._timelines(project_id, batch.sessions):
            told()
            key = classifier.question(timeline).key(classifier.name) if timeline.events else ""
            if given.get(key) is None or classifier.read_again(given[key], timeline) is None:
                # Refused, unreadable, or a visit that has changed since: what was said of it before stands.
                tally.skipped += 1
                continue
            try:
                await closer.classify_session(project_id, timeline.session_id, act=False)
            except (NotFound, SessionStillOpen):
                tally.skipped += 1
            else:
                tally.named += 1
        return tally

    async def _timelines(self, project_id: UUID, sessions: Sequence[UUID]) -> AsyncIterator[Timeline]:
        for session_id in sessions:
            async with self._database.transaction(project_id) as tx:
                try:
                    timeline = await read_timeline(tx, project_id, session_id)
                except NotFound:
                    continue
            yield timeline

    async def _endpoint_of(self, project_id: UUID, batch: OpenBatch) -> Endpoint:
        endpoint = _endpoint(await self._classifiers.wishes(project_id))
        if (endpoint.base_url, endpoint.model) != (batch.base_url, batch.model):
            raise Refused(
                f"Batch {batch.provider_id} was handed in to {batch.model} at {batch.base_url or 'OpenAI'}, and the "
                "project's model is another now: set it back to collect the batch.",
                field="model",
            )
        return endpoint

    @asynccontextmanager
    async def _provider(self, endpoint: Endpoint) -> AsyncIterator[OpenAiBatches]:
        provider = self._opened(endpoint)
        try:
            yield provider
        finally:
            await provider.close()


class _Answered(Classifier):
    """The project's classifier, for questions whose answers are here."""

    def __init__(self, classifier: Classifier, answers: Mapping[str, dict[str, Any]]) -> None:
        self.__dict__.update(classifier.__dict__)
        self._book = _Here(answers)

    async def _ask(self, *_: object) -> Classified:
        # The visit changed between two looks at it.
        raise SessionStillOpen("Events came in for this session. It can be asked about again later.")


class _Here:
    """A book that holds a batch's answers and accounts for nothing: the batch is paid for as a whole."""

    def __init__(self, answers: Mapping[str, dict[str, Any]]) -> None:
        self._answers = answers

    async def known(self, project_id: UUID, key: str) -> dict[str, Any] | None:
        return self._answers.get(key)

    async def reserve(self, project_id: UUID, cost_micros: int, ceiling_micros: int) -> datetime | None:
        return None

    async def settle(
        self, project_id: UUID, at: datetime | None, usage: Usage, cost_micros: int, reserved_micros: int
    ) -> None:
        return None


def _endpoint(wishes: InsightWishes) -> Endpoint:
    if wishes.endpoint is None:
        raise Refused("This project has no model to ask: the rules decide, and they need no batch.", field="model")
    return wishes.endpoint
