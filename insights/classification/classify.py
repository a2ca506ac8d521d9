"""Asks the model where one is configured, and the evidence rules where it has no usable answer. Never fails for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from pydantic import ValidationError

from adapters.llm.port import NOTHING_USED, LanguageModel, ModelFailed, Reply, Usage
from insights.classification import prompt
from insights.classification.book import Book
from insights.classification.calibration import Calibrations, shipped_calibrations
from insights.classification.evidence import NAME, Case, cases, weigh
from insights.classification.parse import AnswerRefused, ReasonGiven, complaint_about, read_answer
from insights.classification.pricing import NO_PRICES, Prices
from insights.classification.prompt import USUAL, Question, Wishes
from insights.classification.verdict import Verdict
from insights.timeline.timeline import Timeline

log = structlog.get_logger()

OVERTIME: Final = timedelta(milliseconds=250)
"""A model keeps its deadline itself. This is for one that does not."""


@dataclass(frozen=True, slots=True)
class Classified:
    """A verdict, who gave it, and why a configured model did not.

    ``usage`` is what was used for it now: nothing where an earlier answer to the same question was good. ``key`` and
    ``answer`` are the question's and the model's, for the next time; ``cost_micros`` is None where prices are unknown.
    ``cases`` are what the rules found, where they were asked.
    """

    verdict: Verdict
    classifier: str
    fallback: str | None = None
    usage: Usage = NOTHING_USED
    cost_micros: int | None = None
    key: str | None = None
    answer: dict[str, Any] | None = None
    cases: Sequence[Case] = ()


class NamesReasons(Protocol):
    """Whoever names the reason of a session: one classifier, or one for each project."""

    @property
    def slowest(self) -> timedelta:
        """The longest that one session of a project without settings of its own may take; 0: nothing to speak of."""

    async def slowest_for(self, project_id: UUID) -> timedelta:
        """The same, for one project."""

    async def classify(self, timeline: Timeline, *, fresh: bool = False) -> Classified:
        """The verdict on a session. ``fresh``: a model is asked although it has answered the same question before."""


class Classifier:
    """Names reasons. ``threshold`` (0..1): an abandonment less certain than this is unclear.

    ``ceiling`` is what the model may cost a project a day, in the currency of ``prices``; it needs a ``book``.
    """

    def __init__(
        self,
        model: LanguageModel | None,
        *,
        threshold: float,
        deadline: timedelta,
        calibrations: Calibrations | None = None,
        wishes: Wishes = USUAL,
        prices: Prices = NO_PRICES,
        ceiling: float | None = None,
        book: Book | None = None,
    ) -> None:
        self._model = model
        self._threshold = threshold
        self._deadline = deadline
        self._calibrations = shipped_calibrations() if calibrations is None else calibrations
        self._wishes = wishes
        self._prices = prices
        self._ceiling = ceiling
        self._book = book

    @property
    def name(self) -> str:
        """Who speaks when all goes well; stored with the insight."""
        return NAME if self._model is None else f"llm:{self._model.name}:{prompt.VERSION}"

    @property
    def slowest(self) -> timedelta:
        """The longest that one session may take: nothing to speak of without a model."""
        return timedelta(0) if self._model is None else self._deadline + OVERTIME

    async def slowest_for(self, project_id: UUID) -> timedelta:
        """The same for every project."""
        return self.slowest

    def question(self, timeline: Timeline) -> Question:
        """What a model is, or would be, asked about a session."""
        return prompt.ask_about(timeline, self._wishes)

    async def classify(self, timeline: Timeline, *, fresh: bool = False) -> Classified:
        """The verdict on a session; whatever the model does, there is one within the deadline."""
        if self._model is None:
            return self._by_evidence(timeline)
        if timeline.by_a_bot:
            # It counts in no report: an answer would be paid for, and read by nobody.
            return self._by_evidence(timeline, "bot")
        question = self.question(timeline)
        key = question.key(self.name)
        if self._book is not None and not fresh:
            known = await self._book.known(timeline.project_id, key)
            if known is not None and (told := self._read_known(known, question, timeline)) is not None:
                return Classified(told, self.name, key=key, answer=known)
        return await self._ask(self._model, question, key, timeline)

    async def _ask(self, model: LanguageModel, question: Question, key: str, timeline: Timeline) -> Classified:
        reserved, at = 0, None
        if self._book is not None and self._ceiling is not None:
            reserved = self._prices.micros(question.prompt.most())
            at = await self._book.reserve(timeline.project_id, reserved, round(self._ceiling * 1_000_000))
            if at is None:
                return self._by_evidence(timeline, "ceiling")
        used: list[Usage] = []
        try:
            classified = await self._answered(model, question, key, timeline, used)
        finally:
            # However it ended: what was asked is billed.
            await self._settle(timeline.project_id, at, sum(used, NOTHING_USED), reserved)
        return classified

    async def _answered(
        self, model: LanguageModel, question: Question, key: str, timeline: Timeline, used: list[Usage]
    ) -> Classified:
        def check(answer: ReasonGiven) -> str | None:
            return complaint_about(answer, question, timeline)

        try:
            async with asyncio.timeout((self._deadline + OVERTIME).total_seconds()):
                reply: Reply[ReasonGiven] = await model.answer(
                    question.prompt, ReasonGiven, self._deadline, check=check
                )
            used.append(reply.usage)
            verdict = self._read(reply.answer, question, timeline)
            answer = reply.answer.model_dump(mode="json")
            return Classified(verdict, self.name, None, reply.usage, self._cost(reply.usage), key, answer)
        except ModelFailed as failure:
            why: str = failure.kind
            used.append(failure.usage)
        except AnswerRefused as refusal:
            why = refusal.why
        except TimeoutError:
            why = "timeout"
        except Exception as error:
            # A model may fail in ways that nobody thought of. The text may quote the prompt: only the kind is kept.
            log.error("model_broke", model=model.name, error=type(error).__name__)
            why = "failed"
        usage = sum(used, NOTHING_USED)
        return self._by_evidence(timeline, why, usage, self._cost(usage))

    async def _settle(self, project_id: UUID, at: datetime | None, usage: Usage, reserved: int) -> None:
        if self._book is not None and (reserved or usage.calls):
            await self._book.settle(project_id, at, usage, self._prices.micros(usage), reserved)

    def _by_evidence(
        self, timeline: Timeline, why: str | None = None, usage: Usage = NOTHING_USED, cost: int | None = None
    ) -> Classified:
        ranked = cases(timeline)
        verdict = weigh(ranked, timeline, threshold=self._threshold, calibrations=self._calibrations)
        return Classified(verdict, NAME, why, usage, cost, cases=ranked)

    def _read(self, answer: ReasonGiven, question: Question, timeline: Timeline) -> Verdict:
        return read_answer(
            answer,
            question,
            timeline,
            threshold=self._threshold,
            speaker=self.name,
            calibrations=self._calibrations,
        )

    def read_again(self, known: dict[str, Any], timeline: Timeline) -> Verdict | None:
        """What an answer from before says of a session by today's checks; None when it does not pass them."""
        return self._read_known(known, self.question(timeline), timeline)

    def _read_known(self, known: dict[str, Any], question: Question, timeline: Timeline) -> Verdict | None:
        """The verdict by today's checks; None when the stored answer no longer passes them."""
        try:
            return self._read(ReasonGiven.model_validate(known), question, timeline)
        except (ValidationError, AnswerRefused):
            return None

    def _cost(self, usage: Usage) -> int | None:
        return None if self._prices.unknown else self._prices.micros(usage)
