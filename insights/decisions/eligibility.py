"""Eligibility: which actions make sense at a moment, and why each of the others does not."""

from __future__ import annotations

from typing import Final

from insights.decisions.guardrails import Limits, refusal, silence
from insights.decisions.incentives import NO_MARGIN, cannot_bear
from insights.decisions.moment import Moment
from insights.decisions.offer import Catalogue, LiveOffer, Standing
from insights.profiles.profile import Profile

NOT_BELIEVED: Final = "an address that is typed is not believed where signatures are required"


def nobody_to_speak_to(moment: Moment) -> bool:
    """A bot, or someone who asked not to be observed."""
    return moment.profile.bot or moment.profile.analytics is False


def eligible(moment: Moment, catalogue: Catalogue, limits: Limits) -> tuple[list[LiveOffer], dict[str, str]]:
    """(what may be shown now besides nothing, action → why it may not). The first reason found is the one given.

    What concerns the action comes before the caps on all of them, so that a reason says most.
    """
    profile = moment.profile
    fit: list[LiveOffer] = []
    taken = 0
    open_now = catalogue.open_in(moment.stage)
    excluded = open_now.closed.copy()
    for standing in open_now.offers:
        offer, name, action_bit, _, _ = standing
        if taken & action_bit:
            continue
        reason = _unfit(standing, moment, catalogue) or refusal(profile, action_bit)
        if reason is None and offer.group and _served_of(offer.group, catalogue, profile):
            reason = f"another action of the group {offer.group!r} was shown this session"
        if reason is None:
            # Of several entries of one kind the first that fits stands for it.
            taken |= action_bit
            fit.append(offer)
            excluded.pop(name, None)
        else:
            excluded.setdefault(name, reason)
    if fit and (reason := silence(profile, moment.stage, limits, moment.now_ms)) is not None:
        excluded.update((offer.action.value, reason) for offer in fit)
        fit = []
    return fit, excluded


def _served_of(group: str, catalogue: Catalogue, profile: Profile) -> bool:
    return any(offer.group == group and profile.was_served(offer.action) for offer in catalogue.offers)


def _unfit(standing: Standing, moment: Moment, catalogue: Catalogue) -> str | None:
    offer, _, _, season, requirements = standing
    if season and (reason := offer.out_of_season(moment.now_ms)) is not None:
        return reason
    if not offer.faces:
        return NO_MARGIN if catalogue.facts.margin_rate is None else "the shop set up none"
    if not catalogue.facts.believes_typed and all(face.asks_for_address for face in offer.faces):
        return NOT_BELIEVED
    for holds, unmet in requirements:
        if holds(moment) is not True:
            return unmet
    if offer.needs_link and offer.lacks_link(moment, catalogue.facts):
        return "no page to point to is known"
    if offer.incentive is not None:
        return cannot_bear(moment.profile, offer.incentive, catalogue.facts)
    return None
