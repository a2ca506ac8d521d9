"""Checks a model's answer in code: what it may not decide is not taken from it. Pure."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Final, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from insights.classification.calibration import UNCALIBRATED, Calibrations
from insights.classification.crosscheck import doubted, strongly, supports
from insights.classification.evidence import cases, kind_of, weigh
from insights.classification.prompt import Question
from insights.classification.suggestions import suggestions_for
from insights.classification.verdict import MOST_EVIDENCE, MOST_NARRATIVE, Verdict
from insights.privacy.redact import mask
from insights.timeline.timeline import Timeline
from insights.vocabulary.reasons import Kind, Reason

AbandonedReason = Literal[
    "price_hesitation",
    "ux_friction",
    "trust_concern",
    "comparison_shopping",
    "distraction",
    "technical_error",
    "unclear",
]
ConvertedReason = Literal[
    "value_fit", "urgency", "social_proof", "clear_cta", "returning_intent", "recommendation_match"
]
MOST_WIRE_EVIDENCE: Final = 50
MOST_WIRE_NARRATIVE: Final = 4_000


class _OnTheWire(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AbandonedOnTheWire(_OnTheWire):
    kind: Literal["abandoned"]
    reason: AbandonedReason
    confidence: float
    narrative: str
    evidence: list[str]


class ConvertedOnTheWire(_OnTheWire):
    kind: Literal["converted"]
    reason: ConvertedReason
    confidence: float
    narrative: str
    evidence: list[str]


class ReasonGiven(_OnTheWire):
    """The answer on the wire: an object whose one member is either kind, which strict servers can enforce.

    A plain union, because strict mode refuses what a discriminated one becomes, and no bounds, because it knows none.
    ``_Checked`` makes up for both.
    """

    insight: Union[AbandonedOnTheWire, ConvertedOnTheWire]  # noqa: UP007  # anyOf, spelled as what it is


_Confidence = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
_Narrative = Annotated[str, StringConstraints(min_length=1, max_length=MOST_WIRE_NARRATIVE)]
_Evidence = Annotated[list[Annotated[str, StringConstraints(max_length=16)]], Field(max_length=MOST_WIRE_EVIDENCE)]


class _AbandonedChecked(AbandonedOnTheWire):
    confidence: _Confidence
    narrative: _Narrative
    evidence: _Evidence


class _ConvertedChecked(ConvertedOnTheWire):
    confidence: _Confidence
    narrative: _Narrative
    evidence: _Evidence


_Checked: TypeAdapter[_AbandonedChecked | _ConvertedChecked] = TypeAdapter(
    Annotated[_AbandonedChecked | _ConvertedChecked, Field(discriminator="kind")]
)


class AnswerRefused(Exception):
    """The answer contradicts the timeline; ``why`` is a stable word."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


_COMPLAINTS: Final = {
    "wrong_kind": "kind is not the one in the first line of the visit; repeat that one and choose a reason of it",
    "out_of_bounds": "confidence must be between 0 and 1, narrative one or two sentences, evidence at most 12 ids",
    "unknown_evidence": "evidence names ids that are not in the visit; use ids of its first column",
    "no_evidence": "evidence is empty; name the events that show the reason",
    "no_narrative": "narrative is empty; write one or two plain sentences",
}


def complaint_about(answer: ReasonGiven, question: Question, timeline: Timeline) -> str | None:
    """What is wrong with an answer, in words for the model; None when ``read_answer`` will take it."""
    try:
        _checked(answer, question, timeline)
    except AnswerRefused as refusal:
        return _COMPLAINTS[refusal.why]
    return None


def read_answer(
    answer: ReasonGiven,
    question: Question,
    timeline: Timeline,
    *,
    threshold: float,
    speaker: str = "",
    calibrations: Calibrations = UNCALIBRATED,
) -> Verdict:
    """A verdict out of a model's answer. Raises AnswerRefused when it cannot be right.

    The kind comes from the purchase, actions from the registry, evidence must exist. Confidence is what ``speaker``'s
    is worth by ``calibrations``, and less where the rules are strongly for another reason. Below ``threshold``, or
    where nothing in the timeline speaks for the reason, an abandonment is unclear; a reason that nothing speaks for is
    refused where the rules have one that they are sure of, or it is a conversion.
    """
    given = _checked(answer, question, timeline)
    kind, reason = Kind(given.kind), Reason(given.reason)
    narrative = plain(given.narrative)
    ranked = cases(timeline)
    by_rules = weigh(ranked, timeline, threshold=threshold)
    said = calibrations.true(speaker, kind, given.confidence)
    confidence = doubted(said, reason, by_rules.reason, by_rules.confidence)
    named = {question.event(short) for short in given.evidence[:MOST_EVIDENCE]}
    evidence = tuple(event.id for event in timeline.events if event.id in named)
    if reason is not Reason.UNCLEAR:
        supported = supports(ranked, reason)
        # Nothing speaks for it: the rules speak, if they have something to say.
        if not supported and (kind is Kind.CONVERTED or strongly(by_rules)):
            raise AnswerRefused("no_trace_of_reason")
        if kind is Kind.ABANDONED and (not supported or confidence < threshold):
            # What the model wrote argues for a reason that is not stored, so it is not stored either.
            name = reason.value.replace("_", " ")
            narrative = (
                f"No reason stands out. The model thought of {name}, without being sure."
                if supported
                else f"No reason stands out. The model thought of {name}, but nothing in the visit shows it."
            )
            reason, confidence = Reason.UNCLEAR, 1 - min(confidence, threshold)
    return Verdict(kind, reason, round(confidence, 3), narrative, evidence, suggestions_for(reason, timeline))


def plain(text: str) -> str:
    """A narrative as one line of bounded length: nothing invisible, no addresses, no long numbers."""
    shown = "".join(c if unicodedata.category(c)[0] not in "CZ" else " " for c in text[:MOST_WIRE_NARRATIVE])
    return mask(" ".join(shown.split()), MOST_NARRATIVE).strip()


def _checked(answer: ReasonGiven, question: Question, timeline: Timeline) -> _AbandonedChecked | _ConvertedChecked:
    try:
        given = _Checked.validate_python(answer.insight.model_dump())
    except ValidationError:
        raise AnswerRefused("out_of_bounds") from None
    if given.kind != kind_of(timeline).value:
        raise AnswerRefused("wrong_kind")
    if any(question.event(short) is None for short in given.evidence):
        raise AnswerRefused("unknown_evidence")
    if not given.evidence and given.reason != "unclear":
        raise AnswerRefused("no_evidence")
    if not plain(given.narrative):
        raise AnswerRefused("no_narrative")
    return given
