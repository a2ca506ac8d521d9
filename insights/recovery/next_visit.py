"""What a flow keeps for a visitor's next visit: a popup, banner, card, form or carousel, checked as a live action is.

Done in the send gate's own transaction: there is nothing to send. ``params``: {"action": discount_popup, cart_save, …;
"template"; "content": {"default": {"title", "body", …}}; "stages"?; "when"?; "priority"? (60); "days"? (14);
"discount_percent"?, "discount_hours"?}. The words may use {code} and {percent} where there is a discount.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.ports import Done, SendRequest, Skip
from insights.decisions.entries import Entry
from insights.decisions.set_aside import EVER, KEPT
from insights.identity.together import person_of
from insights.models import KeptOffer, LiveClaim
from insights.profiles.marks import outdate_marks
from insights.recovery.kept_offer import faults_of_offer, offer_in
from insights.recovery.plain import whole
from insights.vocabulary.ids import uuid7

MOST_WAITING: Final = 3
"""For one person."""
DAYS: Final = 14
MOST_DAYS: Final = 90


async def keep_for_next_visit(
    tx: AsyncSession, request: SendRequest, code: Mapping[str, str] | None, good_for: timedelta | None = None
) -> Done | Skip:
    """Keeps the offer of a step; ``code``: {code, percent} of the discount that it gives, good for ``good_for``. The
    offer waits no longer than that: nobody is shown a code whose time is over."""
    days = whole(request.params.get("days", DAYS))
    if days is None or not 1 <= days <= MOST_DAYS:
        return Skip("bad_offer", f"days must be 1 to {MOST_DAYS}.")
    entry = _entry(request, code or {})
    if isinstance(entry, Skip):
        return entry
    person = await person_of(tx, request.project_id, request.visitor_id)
    if await _waiting(tx, request.project_id, person, request.now) >= MOST_WAITING:
        return Skip("enough_waiting", f"{MOST_WAITING} offers wait for their next visit already, and no more may.")
    definition = msgspec.to_builtins(entry)
    definition.pop("id")
    waits = timedelta(days=days)
    until = request.now + (waits if good_for is None else min(waits, good_for))
    tx.add(
        KeptOffer(
            project_id=request.project_id,
            id=uuid7(int(request.now.timestamp() * 1000)),
            visitor_id=request.visitor_id,
            run_id=request.run_id,
            definition=definition,
            kept_at=request.now,
            expires_at=until,
        )
    )
    await tx.flush()
    await outdate_marks(tx, request.project_id, person)
    return Done(f"{entry.action.value} waits for their next visit until {until:%Y-%m-%d %H:%M} UTC.")


def _entry(request: SendRequest, code: Mapping[str, str]) -> Entry | Skip:
    try:
        entry = offer_in(request.params, request.step_id, code)
    except msgspec.ValidationError as error:
        return Skip("bad_offer", f"The step's offer cannot be kept: {error}.")
    if faults := faults_of_offer(entry, gives_code=bool(code)):
        told = "; ".join(f"{fault.pointer.lstrip('/')}: {fault.problem}, {fault.fix}" for fault in faults[:3])
        return Skip("bad_offer", f"The step's offer cannot be kept: {told}.")
    return entry


async def _waiting(tx: AsyncSession, project_id: UUID, person: Sequence[UUID], now: datetime) -> int:
    shown = select(LiveClaim.key).where(
        LiveClaim.project_id == project_id,
        LiveClaim.scope == KEPT,
        LiveClaim.period == EVER,
        LiveClaim.key == func.uuid_send(KeptOffer.id),
    )
    found: int | None = await tx.scalar(
        select(func.count())
        .select_from(KeptOffer)
        .where(
            KeptOffer.project_id == project_id,
            KeptOffer.visitor_id.in_(person),
            KeptOffer.expires_at > now,
            ~shown.exists(),
        )
    )
    return found or 0
