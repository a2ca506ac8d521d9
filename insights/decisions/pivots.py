"""Pivots: what was shown and no longer fits, because the visit has come to another stage meanwhile.

Each stage opens offers of its own. Whoever emptied the cart needs no help to save it, and whoever bought needs nothing
at all that was meant to make them buy: what is still on their screen is taken down.
"""

from __future__ import annotations

from insights.decisions.kept import shown_of
from insights.decisions.offer import Catalogue
from insights.intents.intent import Intent
from insights.intents.stage import stage_of
from insights.profiles.profile import Profile


def withdrawn(profile: Profile, intent: Intent, catalogue: Catalogue) -> list[str]:
    """The actions served in this session that none of the offers makes in the stage that the visitor is in now."""
    if not profile.served:
        return []
    stage = stage_of(profile, intent)
    offers = (*shown_of(profile), *catalogue.offers) if profile.kept else catalogue.offers
    served = {offer.action for offer in offers if profile.was_served(offer.action)}
    fitting = {offer.action for offer in offers if stage in offer.stages}
    return sorted(action.value for action in served - fitting)
