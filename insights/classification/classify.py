"""Asks the model where one is configured, and the evidence rules where it has no usable answer. Never fails."""

from __future__ import annotations

from datetime import timedelta

from adapters.llm.port import LanguageModel, ModelFailed
from insights.classification import prompt
from insights.classification.evidence import NAME, classify_by_evidence
from insights.classification.parse import AnswerRefused, ReasonGiven, read_answer
from insights.classification.verdict import Classified
from insights.timeline.timeline import Timeline


class Classifier:
    """Names reasons. ``threshold`` (0..1): an abandonment less certain than this is unclear."""

    def __init__(self, model: LanguageModel | None, *, threshold: float, deadline: timedelta) -> None:
        self._model = model
        self._threshold = threshold
        self._deadline = deadline

    @property
    def name(self) -> str:
        """Who speaks when all goes well; stored with the insight."""
        return NAME if self._model is None else f"llm:{self._model.name}:{prompt.VERSION}"

    async def classify(self, timeline: Timeline) -> Classified:
        """The verdict on a session; whatever the model does, there is one within the deadline."""
        if self._model is None:
            return Classified(classify_by_evidence(timeline, threshold=self._threshold), NAME)
        question = prompt.ask_about(timeline)
        try:
            answer = await self._model.answer(question.prompt, ReasonGiven, self._deadline)
            verdict = read_answer(answer, question, timeline, threshold=self._threshold)
        except ModelFailed as failure:
            return self._fall_back(timeline, failure.kind)
        except AnswerRefused as refusal:
            return self._fall_back(timeline, refusal.why)
        return Classified(verdict, self.name)

    def _fall_back(self, timeline: Timeline, why: str) -> Classified:
        return Classified(classify_by_evidence(timeline, threshold=self._threshold), NAME, why)
