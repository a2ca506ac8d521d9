"""Reads which orders were paid with a code of ours, and with how much off: their margin is less by that."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

REDEEMED_BEFORE: Final = timedelta(hours=1)
"""A shop may redeem a code this long after the order that it was used in."""
REDEEMED_AFTER: Final = timedelta(days=1)
"""And so long before it: a payment may take hours."""

# A shop redeems the code and does not say of which order: it is the person's first from then on.
_PAID_WITH: Final = text("""
SELECT paid.key, max(code.percent)
FROM discount_code AS code
LEFT JOIN person AS owner ON owner.project_id = code.project_id AND owner.visitor_id = code.visitor_id
CROSS JOIN LATERAL (
    SELECT conversion.key FROM conversion
    WHERE conversion.project_id = :project
        AND conversion.occurred_at BETWEEN code.redeemed_at - CAST(:before AS interval)
            AND code.redeemed_at + CAST(:after AS interval)
        AND conversion.visitor_id IN (
            SELECT code.visitor_id UNION ALL
            SELECT other.visitor_id FROM person AS other
            WHERE other.project_id = :project AND other.person_id = owner.person_id)
    ORDER BY conversion.occurred_at, conversion.key
    LIMIT 1
) AS paid
WHERE code.project_id = :project AND code.redeemed_at >= CAST(:since AS timestamptz) - CAST(:after AS interval)
    AND code.redeemed_at <= coalesce(CAST(:until AS timestamptz) + CAST(:before AS interval), 'infinity')
GROUP BY paid.key
""")


async def percents_of(
    tx: AsyncSession, project_id: UUID, since: datetime, until: datetime | None = None
) -> dict[str, int]:
    """Key of an order → percent off (1 to 90), of those placed in ``since`` … ``until`` that a code of ours paid, and
    perhaps of some about then."""
    around = {"before": REDEEMED_BEFORE, "after": REDEEMED_AFTER}
    values = {"project": project_id, "since": since, "until": until, **around}
    return {row[0]: row[1] for row in await tx.execute(_PAID_WITH, values)}


async def paid_since(tx: AsyncSession, project_id: UUID, since: datetime) -> set[str]:
    """Keys of the orders that were paid with codes redeemed at ``since`` or later: perhaps after the order was told."""
    values = {"project": project_id, "since": since + REDEEMED_AFTER, "until": None}
    around = {"before": REDEEMED_BEFORE, "after": REDEEMED_AFTER}
    return {row[0] for row in await tx.execute(_PAID_WITH, values | around)}
