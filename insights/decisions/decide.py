"""Decides what to show a visitor right after an event, if there is a choice to make."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

import numpy as np
from msgspec import Struct

from insights.decisions.content import Offer
from insights.decisions.eligibility import eligible, nobody_to_speak_to
from insights.decisions.guardrails import Limits
from insights.decisions.kept import with_kept
from insights.decisions.moment import moment_of
from insights.decisions.offer import LiveOffer
from insights.decisions.plan import ARM, RULES_ONLY, Plan
from insights.decisions.rank import RULES, Ranking, rank
from insights.decisions.situation import situation
from insights.intents.intent import Intent
from insights.intents.stage import stage_of
from insights.policies.draw import draw
from insights.policies.policy import mixed
from insights.policies.sums import Floats
from insights.profiles.profile import ACTION_BIT, Profile
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.codes import new_code
from insights.vocabulary.ids import uuid7
from insights.vocabulary.shares import percent
from insights.vocabulary.stages import Stage
from insights.vocabulary.withheld import HOLDOUT

__all__ = ["Choice", "Limits", "decide"]

HELD_OUT: Final = "Held out: they get nothing, so that it can be measured what the others get out of it."

NO_ROOM_LEFT: Final = "its budget, cap or codes had just run out"

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


class Learning(Struct, frozen=True):
    """What a choice is learned from, and judged by later. ``row``: the situation. ``rules``: what the rules would do.

    ``say``: the policy's share of the probabilities. ``holdout``: the visitor gets nothing, whatever was chosen;
    ``held_back`` is then what they would have got.
    """

    row: Floats
    rules: LiveAction
    say: float
    holdout: bool
    held_back: LiveAction | None = None


class Choice(Struct, frozen=True):
    """One choice among several actions, as it is logged.

    ``probabilities``: action → chance it had, over the eligible and do_nothing, exact, summing to 1. ``excluded``:
    action → why it was not eligible. ``offer`` is None when nothing is shown; ``shown`` is what it was made from, and
    ``code`` the discount code that it shows: good only once it has been written down.
    """

    id: UUID
    action: LiveAction
    offer: Offer | None
    probabilities: dict[str, float]
    excluded: dict[str, str]
    policy: str
    stage: Stage
    intent: Intent
    why: str
    learning: Learning
    shown: LiveOffer | None = None
    code: str = ""


def decide(
    profile: Profile,
    intent: Intent,
    *,
    visitor_id: UUID,
    now_ms: int,
    event_type: str,
    path: str,
    limits: Limits,
    plan: Plan = RULES_ONLY,
    locale: str = "",
    decision_id: UUID | None = None,
    without: Collection[UUID] = (),
) -> Choice | None:
    """The choice to make now; None when there is none: nothing but doing nothing is eligible, or no moment for it.

    ``now_ms`` is the server's clock in epoch milliseconds. ``decision_id`` decides the draw; left out, it is a new one.
    ``without``: the shop's entries that were chosen at this moment and had no room.
    The profile keeps the stage, and that doing nothing was chosen; that something is served is for the caller to mark
    once it will be (``Profile.mark_served``).
    """
    if event_type in NO_MOMENT:
        return None
    stage = stage_of(profile, intent)
    moment = moment_of(profile, intent, stage, now_ms=now_ms, event_type=event_type, path=path)
    if nobody_to_speak_to(moment):
        return None
    if profile.kept:
        plan = replace(plan, catalogue=with_kept(plan.catalogue, profile, now_ms))
    candidates, excluded = eligible(moment, plan.catalogue.without(without), limits)
    if not candidates:
        return None
    if without:
        open_now = {one.action for one in candidates}
        full = {one.action for one in plan.catalogue.offers if one.entry_id in without} - open_now
        excluded.update((action.value, NO_ROOM_LEFT) for action in full)
    ranking = rank(candidates, moment)
    # On all devices of a person or on none. Who was there first stays what they were.
    holdout = plan.holds_out(UUID(bytes=profile.person) if profile.person else visitor_id)
    eligible_bits = _bits(candidates)
    drawn_from = _open_bits(ranking, plan, holdout)
    certain = ranking.chosen is not None and not holdout and plan.learned is None
    if not certain and not without and _said_lately(profile, eligible_bits, drawn_from, now_ms, limits):
        # Before the draw: were it after, what is logged would depend on what was drawn, and no probability be exact.
        return None
    if decision_id is None:
        decision_id = uuid7(now_ms)
    row = situation(moment)
    drawn, held_back = _draw(ranking, candidates, row, plan, decision_id), None
    if holdout:
        held_back = LiveAction.DO_NOTHING if drawn.chosen is None else drawn.chosen.action
        drawn = Drawn(None, _certain(candidates, None), HOLDOUT, HELD_OUT, 0.0)
    if drawn.chosen is None:
        profile.mark_quiet(eligible_bits, drawn_from, now_ms, stage)
        action, offer, code = LiveAction.DO_NOTHING, None, ""
    else:
        profile.stage = stage
        incentive = drawn.chosen.incentive
        code = new_code() if incentive is not None and incentive.percent else ""
        action, offer = drawn.chosen.action, drawn.chosen.offer(moment, plan.catalogue.facts, locale, code)
    rules = LiveAction.DO_NOTHING if ranking.chosen is None else ranking.chosen.action
    learning = Learning(row, rules, drawn.say, holdout, held_back)
    return Choice(
        decision_id,
        action,
        offer,
        drawn.probabilities,
        excluded,
        drawn.policy,
        stage,
        intent,
        drawn.why,
        learning,
        drawn.chosen,
        code,
    )


class Drawn(Struct, frozen=True):
    """What came of a draw, and the chances it was made with."""

    chosen: LiveOffer | None
    probabilities: dict[str, float]
    policy: str
    why: str
    say: float


def _draw(ranking: Ranking, candidates: Sequence[LiveOffer], row: Floats, plan: Plan, decision_id: UUID) -> Drawn:
    learned = plan.learned
    if learned is None or not ranking.open_to:
        return Drawn(ranking.chosen, _certain(candidates, ranking.chosen), RULES, ranking.why, 0.0)
    arms: list[LiveOffer | None] = [*ranking.open_to, None]
    named = [LiveAction.DO_NOTHING if arm is None else arm.action for arm in arms]
    rules = np.array([1.0 if arm is ranking.chosen else 0.0 for arm in arms])
    say = learned.say
    chances = mixed(rules, learned.policy.probabilities(row, [ARM[action] for action in named]), say).tolist()
    index = draw(chances, plan.draws(decision_id))
    chosen = arms[index]
    probabilities = _certain(candidates, None) | {
        action.value: chance for action, chance in zip(named, chances, strict=True)
    }
    if chosen is ranking.chosen:
        why = ranking.why
    else:
        why = f"Drawn by what was learned: {named[index].value} had a chance of {percent(chances[index])} here."
    return Drawn(chosen, probabilities, learned.name, why, say)


def _said_lately(profile: Profile, eligible_bits: int, drawn_from: int, now_ms: int, limits: Limits) -> bool:
    """Whether doing nothing was chosen a moment ago, and nothing has come up since that could change it."""
    new = eligible_bits & ~profile.quiet or drawn_from & ~profile.quiet_open
    return not new and now_ms - profile.quiet_at < limits.quiet_ms


def _open_bits(ranking: Ranking, plan: Plan, holdout: bool) -> int:
    """What may be drawn. Of who is held out, also what is certain, so that it is logged when it first comes up: their
    first moment must be told as soon as that of the others, or the two could not be compared."""
    if plan.learned is not None:
        return _bits(ranking.open_to)
    return _bits([ranking.chosen]) if holdout and ranking.chosen is not None else 0


def _bits(offers: Sequence[LiveOffer]) -> int:
    return sum(ACTION_BIT[offer.action] for offer in offers)


def _certain(candidates: Sequence[LiveOffer], chosen: LiveOffer | None) -> dict[str, float]:
    probabilities = {candidate.action.value: 0.0 for candidate in candidates}
    probabilities[LiveAction.DO_NOTHING.value] = 0.0
    probabilities[(LiveAction.DO_NOTHING if chosen is None else chosen.action).value] = 1.0
    return probabilities
