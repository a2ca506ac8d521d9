"""Checks a model's answer in code: what it may not decide is not taken from it. Pure."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from insights.classification.evidence import cases, kind_of
from insights.classification.prompt import Question
from insights.classification.suggestions import suggestions_for
from insights.classification.verdict import Verdict
from insights.privacy.redact import mask
from insights.timeline.timeline import Timeline
from insights.vocabulary.reasons import Kind, Reason, reasons_of

MAX_NARRATIVE = 600
MOST_EVIDENCE = 12
NEEDS_PROOF = frozenset({Reason.TECHNICAL_ERROR, Reason.TRUST_CONCERN, Reason.UX_FRICTION, Reason.COMPARISON_SHOPPING})
"""Reasons that cannot be without a trace: a broken request, a policy page, a useless click, several products."""


class ReasonGiven(BaseModel):
    """The answer on the wire. No bounds here: a strict schema allows none, and everything is checked again below."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["abandoned", "converted"]
    reason: Reason
    confidence: float
    narrative: str
    evidence: list[str]


class AnswerRefused(Exception):
    """The answer contradicts the timeline; ``why`` is a stable word."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def read_answer(answer: ReasonGiven, question: Question, timeline: Timeline, *, threshold: float) -> Verdict:
    """A verdict out of a model's answer. Raises AnswerRefused when it cannot be right.

    The kind comes from the purchase, actions from the registry, evidence must exist. Below ``threshold``, or without
    the trace its reason needs, an abandonment is unclear.
    """
    kind = kind_of(timeline)
    if answer.kind != kind.value or answer.reason not in reasons_of(kind):
        raise AnswerRefused("wrong_kind")
    if not 0 <= answer.confidence <= 1:
        raise AnswerRefused("confidence_out_of_range")
    unknown = [short for short in answer.evidence if short not in question.events]
    if unknown:
        raise AnswerRefused("unknown_evidence")
    if not answer.evidence and answer.reason is not Reason.UNCLEAR:
        raise AnswerRefused("no_evidence")
    reason, confidence = answer.reason, answer.confidence
    if reason in NEEDS_PROOF and not any(case.reason is reason and case.clues for case in cases(timeline)):
        raise AnswerRefused("no_trace_of_reason")
    if kind is Kind.ABANDONED and confidence < threshold:
        reason, confidence = Reason.UNCLEAR, 1 - confidence
    narrative = mask_narrative(answer.narrative)
    if not narrative:
        raise AnswerRefused("no_narrative")
    evidence = tuple(dict.fromkeys(question.events[short] for short in answer.evidence))[:MOST_EVIDENCE]
    return Verdict(kind, reason, round(confidence, 3), narrative, evidence, suggestions_for(reason))


def mask_narrative(text: str) -> str:
    """A narrative as plain text of bounded length, without control characters, addresses or long numbers."""
    printable = "".join(c if c.isprintable() else " " for c in text)[: 4 * MAX_NARRATIVE]
    words = printable.split()
    return " ".join(mask(word) for word in words)[:MAX_NARRATIVE]
