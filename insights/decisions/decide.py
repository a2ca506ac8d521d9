"""Decides what to show a visitor right after an event, if there is a choice to make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from insights.decisions.catalogue import DEFAULT_CATALOGUE
from insights.decisions.content import Offer
from insights.decisions.eligibility import eligible, nobody_to_speak_to
from insights.decisions.guardrails import Limits
from insights.decisions.moment import moment_of
from insights.decisions.offer import Catalogue
from insights.decisions.rank import POLICY, rank
from insights.intents.intent import Intent
from insights.intents.stage import stage_of
from insights.profiles.profile import ACTION_BIT, Profile
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.stages import Stage

__all__ = ["Choice", "Limits", "decide"]

NO_MOMENT: Final = frozenset(
    {
        "action_shown",
        "action_clicked",
        "action_dismissed",
        "tab_hidden",
        "session_ended",
        "purchased",
        "refunded",
        "identified",
        "consent_changed",
        "custom",
    }
)
"""Events after which nobody is asked for: the page is gone or hidden, or they have just done what they came for."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice among several actions, as it is logged.

    ``probabilities``: action → chance it had, over the eligible and do_nothing, exact, summing to 1. ``excluded``:
    action → why it was not eligible. ``offer`` is None when nothing is shown.
    """

    action: LiveAction
    offer: Offer | None
    probabilities: dict[str, float]
    excluded: dict[str, str]
    policy: str
    stage: Stage
    intent: Intent
    why: str


def decide(
    profile: Profile,
    intent: Intent,
    *,
    now_ms: int,
    event_type: str,
    path: str,
    limits: Limits,
    catalogue: Catalogue = DEFAULT_CATALOGUE,
) -> Choice | None:
    """The choice to make now; None when there is none: nothing but doing nothing is eligible, or no moment for it.

    ``now_ms`` is the server's clock in epoch milliseconds. The profile keeps the stage, and that doing nothing was
    chosen; that something is served is for the caller to mark once it will be (``Profile.mark_served``).
    """
    if event_type in NO_MOMENT:
        return None
    stage = stage_of(profile, intent)
    moment = moment_of(profile, intent, stage, now_ms=now_ms, event_type=event_type, path=path)
    if nobody_to_speak_to(moment):
        return None
    candidates, excluded = eligible(moment, catalogue, limits)
    if not candidates:
        return None
    ranking = rank(candidates, moment)
    if ranking.chosen is None:
        open_to = sum(ACTION_BIT[offer.action] for offer in candidates)
        if not open_to & ~profile.quiet and now_ms - profile.quiet_at < limits.quiet_ms:
            return None
        profile.mark_quiet(open_to, now_ms, stage)
        action, offer = LiveAction.DO_NOTHING, None
    else:
        profile.stage = stage
        action, offer = ranking.chosen.action, ranking.chosen.offer(moment, catalogue.facts)
    probabilities = {candidate.action.value: 0.0 for candidate in candidates}
    probabilities[LiveAction.DO_NOTHING.value] = 0.0
    probabilities[action.value] = 1.0
    return Choice(action, offer, probabilities, excluded, POLICY, stage, intent, ranking.why)
