"""What has to be set aside before a choice may be shown: its turn under the caps, its share of the budget, its code."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from insights.decisions.offer import LiveOffer
from insights.events.turns import Reservation, Turn
from insights.traffic.addresses import truncated

EVER: Final = "ever"
KEPT: Final = "kept"


def device_key(salt: bytes, address: str, browser: str) -> bytes:
    """Stands for a device by its network address and browser, so that fresh visitor ids are no new devices.

    Keyed and cut: the address cannot be read from it. The last part of an address changes too easily to count (IPv4
    /24, IPv6 /64).
    """
    network = truncated(address, ipv6=64)
    return hashlib.blake2b(f"{network}\x1f{browser}".encode(errors="replace"), key=salt[:64], digest_size=16).digest()


def reservation_of(
    shown: LiveOffer,
    *,
    visitor_id: UUID,
    decision_id: UUID,
    device: bytes,
    cart_minor: int,
    code: str,
    now_ms: int,
) -> Reservation | None:
    """What ``shown`` needs; None when it needs nothing. ``device``: of ``device_key``."""
    if shown.entry_id is None or (shown.incentive is None and shown.per_visitor_week is None and not shown.kept):
        return None
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    turns = []
    if shown.kept:
        # On whichever of their devices they come back: once.
        turns.append(Turn(KEPT, shown.entry_id.bytes, EVER, 1))
    if shown.per_visitor_week is not None:
        year, week, _ = at.isocalendar()
        period = f"{year}-W{week:02d}"
        turns.append(Turn(f"week {shown.entry_id}", visitor_id.bytes, period, shown.per_visitor_week, of_person=True))
    incentive = shown.incentive
    if incentive is None:
        return Reservation(shown.entry_id, decision_id, visitor_id, at, tuple(turns))
    turns.append(Turn(f"visitor {shown.entry_id}", visitor_id.bytes, EVER, incentive.per_visitor, of_person=True))
    per_email = incentive.per_visitor if incentive.per_email is None else incentive.per_email
    turns.append(Turn(f"mailbox {shown.entry_id}", b"", EVER, per_email, of_mailbox=True))
    turns.append(Turn("device", device, at.date().isoformat(), incentive.per_device))
    return Reservation(
        shown.entry_id,
        decision_id,
        visitor_id,
        at,
        tuple(turns),
        cost_minor=incentive.cost_of(cart_minor),
        budget_minor=incentive.budget_minor,
        code=code,
        percent=incentive.percent,
        valid_for=timedelta(days=incentive.valid_days),
    )
