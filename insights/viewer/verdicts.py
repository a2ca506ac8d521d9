"""What the page tells of decisions and the insight: candidates with their odds, outcomes, numbered citations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from insights.decisions.plan import ARM
from insights.decisions.situation import NAMES
from insights.models import Decision, Insight
from insights.policies.sums import Floats
from insights.timeline.timeline import TimelineEvent
from insights.viewer.wording import label
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.events import OUTCOME_TYPES

MOST_TERMS = 6

_OUTCOMES = {
    "action_clicked": "clicked",
    "action_dismissed": "dismissed",
    "action_shown": "shown",
}
"""Outcome events, the strongest first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An action that could have been drawn, and how likely that was (0..1)."""

    action: str
    probability: float
    chosen: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision as the page tells it. ``excluded``: (action, why it was no candidate).

    ``outcome``: clicked, dismissed, ignored (shown, and nothing more), shown (the session is still open), not shown,
    or "" when there was nothing to show. ``outcome_event`` is the event that says so. ``held_back``: what somebody who
    is held out would have got.
    """

    id: UUID
    at: datetime
    event_id: UUID | None
    action: str
    nothing: bool
    probability: float | None
    candidates: tuple[Candidate, ...]
    excluded: tuple[tuple[str, str], ...]
    stage: str
    policy: str
    why: str
    latency_us: int
    propensity: float | None
    outcome: str
    outcome_event: UUID | None
    terms: tuple[tuple[str, float], ...]
    say: float
    held_back: str | None


def verdicts(
    decisions: Sequence[Decision],
    events: Sequence[TimelineEvent],
    *,
    session_open: bool,
    weights: Mapping[str, Floats] | None = None,
) -> tuple[Verdict, ...]:
    """Decisions in order, each at the event it was made upon, or the last one before it.

    ``weights``: policy → what its snapshot decided by, for the terms of what it expected.
    """
    known = {event.id for event in events}
    outcomes: dict[str, dict[str, UUID]] = {}
    for event in events:
        decision_id = event.props.get("decision_id")
        if event.type in OUTCOME_TYPES and isinstance(decision_id, str):
            outcomes.setdefault(decision_id.lower(), {}).setdefault(event.type, event.id)
    return tuple(
        _verdict(
            decision,
            decision.event_id if decision.event_id in known else _last_before(events, decision.decided_at),
            outcomes.get(str(decision.id), {}),
            session_open,
            (weights or {}).get(decision.policy),
        )
        for decision in decisions
    )


def _verdict(
    decision: Decision, event_id: UUID | None, outcomes: Mapping[str, UUID], session_open: bool, weights: Floats | None
) -> Verdict:
    odds = {action: float(p) for action, p in decision.probabilities.items() if isinstance(p, int | float)}
    nothing = decision.action == LiveAction.DO_NOTHING
    outcome, outcome_event = "" if nothing else "not shown", None
    for kind, word in _OUTCOMES.items():
        if kind in outcomes:
            outcome, outcome_event = word, outcomes[kind]
            break
    if outcome == "shown" and not session_open:
        outcome = "ignored"
    propensity = decision.intent.get("propensity")
    return Verdict(
        id=decision.id,
        at=decision.decided_at,
        event_id=event_id,
        action=decision.action,
        nothing=nothing,
        probability=odds.get(decision.action),
        candidates=tuple(
            Candidate(action, p, action == decision.action)
            for action, p in sorted(odds.items(), key=lambda item: (-item[1], item[0]))
        ),
        excluded=tuple(sorted((action, str(why)) for action, why in decision.excluded.items())),
        stage=decision.stage,
        policy=decision.policy,
        why=decision.why,
        latency_us=decision.latency_us,
        propensity=float(propensity) if isinstance(propensity, int | float) else None,
        outcome=outcome,
        outcome_event=outcome_event,
        terms=_terms(decision, weights),
        say=decision.say or 0.0,
        held_back=decision.held_back,
    )


def _terms(decision: Decision, weights: Floats | None) -> tuple[tuple[str, float], ...]:
    """What adds most to what the policy expected of the action: (number of the situation, its share of the sum)."""
    row = decision.situation
    if weights is None or row is None or len(row) != weights.shape[1]:
        return ()
    arm = ARM[LiveAction(decision.action)]
    if arm >= len(weights):
        return ()
    added = [(name, float(value * weight)) for name, value, weight in zip(NAMES, row, weights[arm], strict=True)]
    added = [(name, term) for name, term in added if term]
    return tuple(sorted(added, key=lambda item: -abs(item[1]))[:MOST_TERMS])


def _last_before(events: Sequence[TimelineEvent], at: datetime) -> UUID | None:
    before = [event.id for event in events if event.at <= at]
    return before[-1] if before else events[0].id if events else None


@dataclass(frozen=True, slots=True)
class Citation:
    """An event that an insight cites; ``event`` is None when it is no longer stored."""

    number: int
    event_id: UUID | None
    event: TimelineEvent | None


def citations(insight: Insight | None, events: Sequence[TimelineEvent]) -> tuple[Citation, ...]:
    """What the insight cites, numbered from 1 in its own order."""
    if insight is None:
        return ()
    by_id = {event.id: event for event in events}
    ids = list(dict.fromkeys(_event_id(cited) for cited in insight.evidence))
    return tuple(Citation(number, cited, by_id.get(cited) if cited else None) for number, cited in enumerate(ids, 1))


def speaker(classifier: str) -> str:
    """Who spoke, in words: the evidence rules, or which model with which prompt."""
    name, _, rest = classifier.partition(":")
    if name == "llm" and rest:
        model, _, version = rest.rpartition(":")
        return f"the model {model}, prompt {version}" if model else f"the model {rest}"
    if name.startswith("evidence"):
        return "the evidence rules, " + name.replace("-", " ", 1).replace("evidence", "version", 1)
    return classifier


def suggestions(insight: Insight) -> tuple[tuple[str, str], ...]:
    """Suggested actions as (label, everything else that is said of them)."""
    told = []
    for suggested in insight.suggested_actions:
        if isinstance(suggested, dict):
            told.append((label(str(suggested.get("action", "?"))), " · ".join(_details(suggested))))
        else:
            told.append((label(str(suggested)), ""))
    return tuple(told)


def _details(suggested: Mapping[str, object]) -> Iterator[str]:
    for name, value in suggested.items():
        if isinstance(value, dict):
            yield from _details(value)
        elif name != "action" and value not in (None, "", []):
            words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{name}: {words}".replace("_", " ")


def _event_id(cited: object) -> UUID | None:
    value = cited.get("event_id") if isinstance(cited, dict) else cited
    try:
        return UUID(str(value))
    except ValueError:
        return None
