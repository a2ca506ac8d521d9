"""Kept offers: what a flow put by for this visitor's next visit, competing with the catalogue in the same ranking.

A kept offer is of one of the known actions and stands before the catalogue's own of that kind; it keeps to the same
caps, the same quiet and the same holdout, and what is learned of it is learned of its action. It is shown once.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import msgspec

from flows.conditions import ConditionInvalid
from insights.decisions.entries import Entry, offer_of
from insights.decisions.offer import Catalogue, LiveOffer
from insights.profiles.profile import Profile

WHY: Final = "A flow kept this for their next visit."


class _Kept(msgspec.Struct):
    id: UUID
    until: datetime
    shown: bool
    entry: dict[str, Any]


_read: Final = msgspec.json.Decoder(_Kept).decode


def with_kept(catalogue: Catalogue, profile: Profile, now_ms: int) -> Catalogue:
    """The catalogue with what waits for this visitor in front, the first kept first."""
    waiting = [
        offer
        for offer, until_ms, shown in map(_offer, profile.kept)
        if offer is not None and not shown and now_ms < until_ms
    ]
    return Catalogue((*waiting, *catalogue.offers), catalogue.facts) if waiting else catalogue


def shown_of(profile: Profile) -> list[LiveOffer]:
    """Those that were shown a short time ago."""
    return [offer for offer, _, shown in map(_offer, profile.kept) if offer is not None and shown]


def mark_shown(profile: Profile, kept_id: UUID) -> None:
    """Notes in the profile that this one is on its way to the visitor."""
    profile.kept = tuple(_shown(one) if _read(one).id == kept_id else one for one in profile.kept)


def _shown(written: str) -> str:
    found = _read(written)
    found.shown = True
    return msgspec.json.encode(found).decode()


@lru_cache(maxsize=2_000)
def _offer(written: str) -> tuple[LiveOffer | None, float, bool]:
    """The offer, until when (epoch milliseconds), and whether it was shown; no offer where another version wrote it."""
    try:
        found = _read(written)
        entry = replace(msgspec.convert(found.entry, Entry), id=found.id)
        offer = replace(offer_of(entry), because=lambda moment: WHY, kept=True)
    except (msgspec.MsgspecError, ConditionInvalid, ValueError):
        return None, 0.0, False
    return offer, found.until.timestamp() * 1000, found.shown
