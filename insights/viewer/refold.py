"""Scores a visit again, event by event, with the live path's own fold and score: what the intent curve draws.

The visitor's earlier sessions are folded in first, as they were when the visit was live. The model is the one
that the visit's last decision was made by; what was said at the time stands in the logged decisions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from insights.intents.model import PRIOR, IntentModel
from insights.intents.score import explain, score
from insights.profiles.fold import fold
from insights.profiles.pages import event_path
from insights.profiles.profile import Profile
from insights.timeline.timeline import Timeline, TimelineEvent
from insights.viewer.curve import MOST_TERMS, Scores, Terms

MOST_CATEGORIES = 5


@dataclass(frozen=True, slots=True)
class Refolded:
    """Scores and all of their terms by position in the timeline; at its end the categories (name, 0..1) and what moved
    each score most."""

    scores: dict[int, Scores]
    terms_at: dict[int, Terms]
    affinity: tuple[tuple[str, float], ...]
    terms: Terms


def refold(
    timeline: Timeline,
    earlier: Sequence[tuple[UUID, TimelineEvent]],
    positions: Collection[int],
    model: IntentModel = PRIOR,
) -> Refolded:
    """Scores ``timeline`` at ``positions`` by ``model``; ``earlier`` is (session id, event) of visits before it, in
    order."""
    profile = Profile()
    for session_id, event in earlier:
        _fold(profile, session_id, event)
    wanted = set(positions)
    scores: dict[int, Scores] = {}
    terms_at: dict[int, Terms] = {}
    affinity: dict[str, float] = {}
    for position, event in enumerate(timeline.events):
        _fold(profile, timeline.session_id, event)
        if position in wanted:
            intent = score(profile, _ms(event), model)
            scores[position] = Scores(intent.propensity, intent.bounce_risk, intent.price_sensitivity)
            terms_at[position] = _terms(profile, event, model)
            affinity = dict(intent.affinity)
    at_end = _terms(profile, timeline.events[-1], model) if timeline.events else {}
    terms = {name: its[:MOST_TERMS] for name, its in at_end.items()}
    return Refolded(scores, terms_at, tuple(affinity.items())[:MOST_CATEGORIES], terms)


def _terms(profile: Profile, event: TimelineEvent, model: IntentModel) -> Terms:
    return {
        name: tuple((term.feature, term.adds) for term in its if term.feature != "bias")
        for name, its in explain(profile, _ms(event), model).items()
    }


def _fold(profile: Profile, session_id: UUID, event: TimelineEvent) -> None:
    fold(
        profile,
        event_id=event.id,
        session_id=session_id,
        at_ms=_ms(event),
        type=event.type,
        path=event_path(event.type, event.url, event.props.get("path")),
        props=event.props,
    )


def _ms(event: TimelineEvent) -> int:
    return round(event.at.timestamp() * 1000)
