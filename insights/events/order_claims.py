"""Decides whether the page that told of an order is believed once the shop's server tells of it, too.

Whoever knows the public key may tell of any number, long before there is such an order and for somebody else's. So a
server's order is a page's visit only where somebody who bought could have told it: at about the time of the order, and
no other visitor did; or where the server names one of the visitor's own names.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from insights.identity.together import visitors_together
from insights.models import OrderClaim
from insights.vocabulary.ids import ms_to_datetime

BEFORE: Final = timedelta(minutes=5)
"""So much sooner than the order a page may have told of it: two clocks. As far apart as those of signed webhooks."""

AFTER: Final = timedelta(days=1)
"""So much later: somebody who pays at their bank's comes back hours later."""

_MOST: Final = 20
"""Claims of one order that are looked at: who makes up more has none of them believed."""

_KEEP = text("""
INSERT INTO order_claim (project_id, key, visitor_id, session_id, told_at)
SELECT :project, key, visitor_id, session_id, told_at
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS told(
    key text, visitor_id uuid, session_id uuid, told_at timestamptz)
ORDER BY key, visitor_id
ON CONFLICT DO NOTHING
""")


@dataclass(frozen=True, slots=True)
class Claim:
    """That an order was placed in a visit of a visitor, as one told whose key proves nothing."""

    key: str
    visitor_id: UUID
    session_id: UUID
    told_at: datetime


async def keep_claims(tx: AsyncSession, project_id: UUID, claims: Collection[Claim]) -> None:
    """The first claim of each visitor to each order stays."""
    rows = [
        {
            "key": claim.key,
            "visitor_id": str(claim.visitor_id),
            "session_id": str(claim.session_id),
            "told_at": claim.told_at.isoformat(),
        }
        for claim in claims
    ]
    if rows:
        await tx.execute(_KEEP, {"project": project_id, "rows": json.dumps(rows)})


async def believed(
    tx: AsyncSession, project_id: UUID, key: str, at_ms: int, customer: Collection[UUID] = ()
) -> Claim | None:
    """Whose order it is of those who claim it, placed at ``at_ms`` by the server's word; None: nobody's of them.

    ``customer``: the visitors that the server names with it.
    """
    near = OrderClaim.told_at.between(ms_to_datetime(at_ms) - BEFORE, ms_to_datetime(at_ms) + AFTER)
    if own := await _claims(tx, project_id, key, OrderClaim.visitor_id.in_(list(customer))):
        return own[0]
    claims = await _claims(tx, project_id, key, near)
    if not claims:
        return None
    first = claims[0]
    same = (await visitors_together(tx, project_id, [first.visitor_id]))[first.visitor_id]
    return first if all(claim.visitor_id in same for claim in claims) else None


async def _claims(tx: AsyncSession, project_id: UUID, key: str, which: ColumnElement[bool]) -> list[Claim]:
    rows = await tx.execute(
        select(OrderClaim.key, OrderClaim.visitor_id, OrderClaim.session_id, OrderClaim.told_at)
        .where(OrderClaim.project_id == project_id, OrderClaim.key == key, which)
        .order_by(OrderClaim.told_at, OrderClaim.visitor_id)
        .limit(_MOST)
    )
    return [Claim(*row) for row in rows]
