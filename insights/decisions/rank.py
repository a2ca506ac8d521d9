"""Ranks by rules: which of the eligible actions is worth showing, or whether the visitor is best left alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from insights.decisions.moment import Moment
from insights.decisions.offer import LiveOffer

RULES: Final = "rules-1"
LIKELY_ANYWAY: Final = 0.85
AT_EASE: Final = 0.2


class Ranking(Struct, frozen=True):
    """``chosen`` is None when doing nothing ranks first; ``why`` is one sentence. ``open_to``: what may be chosen at
    all, besides nothing: while a visitor is left alone, only what helps."""

    chosen: LiveOffer | None
    why: str
    open_to: Sequence[LiveOffer]


def rank(candidates: Sequence[LiveOffer], moment: Moment) -> Ranking:
    """The best of ``candidates`` (all eligible) or nothing: by priority, unless the visitor does well without us."""
    helping = [offer for offer in candidates if offer.helps]
    quiet = _doing_well(moment)
    pool = helping if quiet is not None else candidates
    if not pool:
        return Ranking(None, quiet or "Nothing is worth saying.", pool)
    best = max(pool, key=lambda offer: (offer.priority, offer.action.value))
    return Ranking(best, best.because(moment), pool)


def _doing_well(moment: Moment) -> str | None:
    """Why to stay quiet; None when there is no reason to. Trouble is answered all the same."""
    if moment.leaving:
        return None
    if moment.typing:
        return "Left alone: they are filling in a form."
    if moment.in_flow:
        return "Left alone: they are moving forward and nothing has gone wrong since."
    intent = moment.intent
    if intent.propensity >= LIKELY_ANYWAY and intent.bounce_risk <= AT_EASE and not moment.stalled:
        return "Left alone: they are likely to order anyway."
    return None
