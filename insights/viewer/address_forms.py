"""Which live actions ask visitors for their address: what people type there is signed by no server. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from insights.decisions.catalogue import DEFAULT_CATALOGUE
from insights.decisions.entries import offer_of
from insights.decisions.offer import LiveOffer
from insights.models import LiveActionEntry
from insights.plans.entries import entry_of
from insights.viewer.wording import label


def address_forms(entries: Sequence[LiveActionEntry], now: datetime) -> list[tuple[str, str]]:
    """(name, its place under /actions) of each that is on: of the shop's own ``entries``, and of the built-in ones of
    which the shop has none of its own."""
    own = {entry.action for entry in entries}
    offers = [(row.name, str(row.id), offer_of(entry_of(row))) for row in entries if row.enabled]
    offers += [
        (label(kind), kind, offer) for offer in DEFAULT_CATALOGUE.offers if (kind := offer.action.value) not in own
    ]
    return [(name, where) for name, where, offer in offers if _asks(offer) and not _is_over(offer, now)]


def _asks(offer: LiveOffer) -> bool:
    return any(face.asks_for_address for face in offer.faces)


def _is_over(offer: LiveOffer, now: datetime) -> bool:
    return offer.ends_ms is not None and offer.ends_ms <= now.timestamp() * 1000
