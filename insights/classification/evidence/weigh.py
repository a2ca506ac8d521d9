"""Weighs the reasons against each other and names the one that stands out, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final
from uuid import UUID

from insights.classification import suggestions
from insights.classification.calibration import Calibrations, shipped_calibrations
from insights.classification.evidence import (
    clear_cta,
    comparison_shopping,
    distraction,
    price_hesitation,
    recommendation_match,
    returning_intent,
    social_proof,
    technical_error,
    trust_concern,
    urgency,
    ux_friction,
    value_fit,
)
from insights.classification.evidence.clue import Clue, combined
from insights.classification.evidence.story import Story
from insights.classification.verdict import MOST_EVIDENCE, MOST_NARRATIVE, Verdict
from insights.timeline.timeline import Timeline
from insights.vocabulary.reasons import Kind, Reason, reasons_of

NAME: Final = "evidence-2"
MOST_SAID: Final = 4
SUREST: Final = 0.95
"""Nobody can be surer than this from the outside."""
MARGIN_SHARE: Final = 0.35
"""How much of the score a reason of equal strength takes away."""

RULES: Final[Mapping[Reason, Callable[[Story], Iterator[Clue]]]] = MappingProxyType(
    {
        Reason.TECHNICAL_ERROR: technical_error.clues,
        Reason.PRICE_HESITATION: price_hesitation.clues,
        Reason.TRUST_CONCERN: trust_concern.clues,
        Reason.UX_FRICTION: ux_friction.clues,
        Reason.COMPARISON_SHOPPING: comparison_shopping.clues,
        Reason.DISTRACTION: distraction.clues,
        Reason.VALUE_FIT: value_fit.clues,
        Reason.URGENCY: urgency.clues,
        Reason.SOCIAL_PROOF: social_proof.clues,
        Reason.RECOMMENDATION_MATCH: recommendation_match.clues,
        Reason.RETURNING_INTENT: returning_intent.clues,
        Reason.CLEAR_CTA: clear_cta.clues,
    }
)


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that speaks for one reason, the strongest clue first."""

    reason: Reason
    clues: tuple[Clue, ...]
    strength: float


def kind_of(timeline: Timeline) -> Kind:
    """A session converted if it has a purchase; nothing else decides that."""
    return Kind.CONVERTED if any(event.type == "purchased" for event in timeline.events) else Kind.ABANDONED


def cases(timeline: Timeline) -> list[Case]:
    """Every reason of the session's kind but ``unclear``, the strongest first."""
    story = Story(timeline)
    found = []
    for reason, rule in RULES.items():
        if reason in reasons_of(story.kind):
            clues = tuple(sorted((item for item in rule(story) if item.weight > 0), key=lambda item: -item.weight))
            found.append(Case(reason, clues, combined(clues)))
    return sorted(found, key=lambda case: -case.strength)


def classify_by_evidence(timeline: Timeline, *, threshold: float, calibrations: Calibrations | None = None) -> Verdict:
    """The reason whose case is strong and stands out; ``unclear`` below ``threshold`` (abandoned sessions only).

    Score = strength × (1 − 0.35 × second ÷ first): a rival as strong takes a third of it. Confidence is how often a
    score like that was right on gold (``calibrations``; those that come along by default). A purchase always has a
    reason; where the clues are thin it is value_fit with the low confidence they deserve.
    """
    return weigh(cases(timeline), timeline, threshold=threshold, calibrations=calibrations)


def weigh(
    ranked: Sequence[Case],
    timeline: Timeline,
    *,
    threshold: float,
    calibrations: Calibrations | None = None,
    told: Verdict | None = None,
) -> Verdict:
    """``classify_by_evidence`` for whoever has the cases already, and perhaps a verdict on the same cases (``told``):
    where it names the same reason only the confidence is another."""
    kind = kind_of(timeline)
    best, second = ranked[0], ranked[1]
    rivalry = second.strength / best.strength if best.strength else 0.0
    known = shipped_calibrations() if calibrations is None else calibrations
    confidence = min(SUREST, known.true(NAME, kind, best.strength * (1 - MARGIN_SHARE * rivalry)))
    if kind is Kind.ABANDONED and (confidence < threshold or not best.clues):
        return _unclear(timeline, best, confidence)
    if told is not None and told.reason is best.reason:
        return replace(told, confidence=round(confidence, 3))
    return Verdict(
        kind=kind,
        reason=best.reason,
        confidence=round(confidence, 3),
        narrative=_narrative("bought" if kind is Kind.CONVERTED else "left without buying", best),
        evidence=evidence_of(best, timeline),
        suggested_actions=suggestions.suggestions_for(best.reason, timeline),
    )


def evidence_of(case: Case, timeline: Timeline) -> tuple[UUID, ...]:
    """Events that show a case, those of the strongest clues first in line for the places; in order of time."""
    chosen: dict[UUID, None] = {}
    for clue in case.clues:
        chosen.update(dict.fromkeys(clue.events))
    places = dict.fromkeys(list(chosen)[:MOST_EVIDENCE])
    return tuple(event.id for event in timeline.events if event.id in places)


def _unclear(timeline: Timeline, best: Case, confidence: float) -> Verdict:
    if best.clues:
        name = best.reason.value.replace("_", " ")
        narrative = f"No reason stands out. The nearest is {name}: they {_said(best)}. That is too little to go by."
    else:
        count = len(timeline.events)
        narrative = f"Nothing in {count} event{'' if count == 1 else 's'} points to a reason."
    return Verdict(
        kind=Kind.ABANDONED,
        reason=Reason.UNCLEAR,
        # How sure it is that nothing can be said: the weaker the best case, the surer.
        confidence=round(1.0 - confidence, 3),
        narrative=narrative,
        evidence=evidence_of(best, timeline),
        suggested_actions=suggestions.suggestions_for(Reason.UNCLEAR, timeline),
    )


def _narrative(did: str, best: Case) -> str:
    return f"The visitor {did}. They {_said(best)}."[:MOST_NARRATIVE]


def _said(case: Case) -> str:
    said = list(dict.fromkeys(clue.said for clue in case.clues))[:MOST_SAID]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
