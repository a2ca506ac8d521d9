"""The evidence classifier: weighs the clues for each reason and names the one that stands out, or none.

It is pure rules over the timeline: the fallback when no model answers, and the check on one that does.
"""

from __future__ import annotations

from uuid import UUID

from insights.classification.abandoned import ABANDONED
from insights.classification.clues import Case
from insights.classification.converted import CONVERTED
from insights.classification.story import Story
from insights.classification.suggestions import suggestions_for
from insights.classification.verdict import Verdict
from insights.timeline.timeline import Timeline, TimelineEvent
from insights.vocabulary.reasons import Kind, Reason

NAME = "evidence-1"
MOST_EVIDENCE = 12


def kind_of(timeline: Timeline) -> Kind:
    """A session converted if it has a purchase; nothing else decides that."""
    return Kind.CONVERTED if any(event.type == "purchased" for event in timeline.events) else Kind.ABANDONED


def cases(timeline: Timeline) -> list[Case]:
    """Every reason of the session's kind with what speaks for it, strongest first."""
    story = Story(timeline)
    rules = CONVERTED if kind_of(timeline) is Kind.CONVERTED else ABANDONED
    return sorted((rule(story) for rule in rules), key=lambda case: -case.strength)


def classify_by_evidence(timeline: Timeline, *, threshold: float) -> Verdict:
    """The reason whose case is strong and stands out; ``unclear`` below ``threshold`` (abandoned sessions only).

    Confidence = strength × (½ + ½ × margin), margin = 1 − second/first: two equal cases halve each other. A purchase
    always has a reason; where the clues are thin it is value_fit with the low confidence they deserve.
    """
    kind = kind_of(timeline)
    ranked = cases(timeline)
    best, second = ranked[0], ranked[1]
    margin = 1 - second.strength / best.strength if best.strength else 0.0
    confidence = best.strength * (0.5 + 0.5 * margin)
    if kind is Kind.ABANDONED and (confidence < threshold or not best.clues):
        return _unclear(timeline, best, confidence)
    return Verdict(
        kind=kind,
        reason=best.reason,
        confidence=round(confidence, 3),
        narrative=_narrative(kind, best),
        evidence=tuple(event.id for event in _events(best))[:MOST_EVIDENCE],
        suggested_actions=suggestions_for(best.reason),
    )


def _unclear(timeline: Timeline, best: Case, confidence: float) -> Verdict:
    if best.strength == 0:
        narrative = f"The visitor left after {len(timeline.events)} events that point to no particular reason."
    else:
        name = best.reason.value.replace("_", " ")
        narrative = f"No reason stands out. The nearest is {name} ({_clauses(best)}), with too little to go by."
    return Verdict(
        kind=Kind.ABANDONED,
        reason=Reason.UNCLEAR,
        # How sure it is that nothing can be said: the weaker the best case, the surer.
        confidence=round(1.0 - confidence, 3),
        narrative=narrative,
        evidence=tuple(event.id for event in _events(best))[:MOST_EVIDENCE],
        suggested_actions=suggestions_for(Reason.UNCLEAR),
    )


def _narrative(kind: Kind, best: Case) -> str:
    start = "The visitor bought" if kind is Kind.CONVERTED else "The visitor left without buying"
    return f"{start}. They {_clauses(best)}."


def _clauses(best: Case) -> str:
    words = [clue.words for clue in sorted(best.clues, key=lambda clue: -clue.weight)]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _events(best: Case) -> list[TimelineEvent]:
    seen: dict[UUID, TimelineEvent] = {}
    for clue in sorted(best.clues, key=lambda clue: -clue.weight):
        for event in clue.events:
            seen.setdefault(event.id, event)
    return list(seen.values())
