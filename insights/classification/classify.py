"""Asks the model where one is configured, and the evidence rules where it has no usable answer. Never fails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from adapters.llm.port import NOTHING_USED, LanguageModel, ModelFailed, Usage
from insights.classification import prompt
from insights.classification.calibration import Calibrations, shipped_calibrations
from insights.classification.evidence import NAME, classify_by_evidence
from insights.classification.parse import AnswerRefused, ReasonGiven, complaint_about, read_answer
from insights.classification.verdict import Verdict
from insights.timeline.timeline import Timeline

log = structlog.get_logger()

OVERTIME: Final = timedelta(milliseconds=250)
"""A model keeps its deadline itself. This is for one that does not."""


@dataclass(frozen=True, slots=True)
class Classified:
    """A verdict, who gave it, and why a configured model did not."""

    verdict: Verdict
    classifier: str
    fallback: str | None = None
    usage: Usage = NOTHING_USED


class Classifier:
    """Names reasons. ``threshold`` (0..1): an abandonment less certain than this is unclear."""

    def __init__(
        self,
        model: LanguageModel | None,
        *,
        threshold: float,
        deadline: timedelta,
        calibrations: Calibrations | None = None,
    ) -> None:
        self._model = model
        self._threshold = threshold
        self._deadline = deadline
        self._calibrations = shipped_calibrations() if calibrations is None else calibrations

    @property
    def name(self) -> str:
        """Who speaks when all goes well; stored with the insight."""
        return NAME if self._model is None else f"llm:{self._model.name}:{prompt.VERSION}"

    @property
    def slowest(self) -> timedelta:
        """The longest that one session may take: nothing to speak of without a model."""
        return timedelta(0) if self._model is None else self._deadline + OVERTIME

    async def classify(self, timeline: Timeline) -> Classified:
        """The verdict on a session; whatever the model does, there is one within the deadline."""
        if self._model is None:
            return Classified(self._by_evidence(timeline), NAME)
        used: list[Usage] = []
        try:
            async with asyncio.timeout((self._deadline + OVERTIME).total_seconds()):
                verdict = await self._asked(self._model, timeline, used)
                return Classified(verdict, self.name, usage=used[0])
        except ModelFailed as failure:
            why: str = failure.kind
            used.append(failure.usage)
        except AnswerRefused as refusal:
            why = refusal.why
        except TimeoutError:
            why = "timeout"
        except Exception as error:
            # A model may fail in ways that nobody thought of. The text may quote the prompt: only the kind is kept.
            log.error("model_broke", model=self._model.name, error=type(error).__name__)
            why = "failed"
        return Classified(self._by_evidence(timeline), NAME, why, sum(used, NOTHING_USED))

    def _by_evidence(self, timeline: Timeline) -> Verdict:
        return classify_by_evidence(timeline, threshold=self._threshold, calibrations=self._calibrations)

    async def _asked(self, model: LanguageModel, timeline: Timeline, used: list[Usage]) -> Verdict:
        question = prompt.ask_about(timeline)

        def check(answer: ReasonGiven) -> str | None:
            return complaint_about(answer, question, timeline)

        reply = await model.answer(question.prompt, ReasonGiven, self._deadline, check=check)
        used.append(reply.usage)
        return read_answer(
            reply.answer,
            question,
            timeline,
            threshold=self._threshold,
            speaker=self.name,
            calibrations=self._calibrations,
        )
