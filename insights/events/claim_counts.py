"""Counts, by day, how many claims to be somebody were signed: what a project looks at before it requires that."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from insights.events.people import Said
from insights.events.signed_names import PROOF

_COUNT: Final = text("""
INSERT INTO identity_claim (project_id, day, name, verdict, claims)
SELECT :project, day, name, verdict, claims
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS said(day date, name text, verdict text, claims int)
ORDER BY day, name, verdict
ON CONFLICT (project_id, day, name, verdict) DO UPDATE SET claims = identity_claim.claims + EXCLUDED.claims
""")


async def count_claims(tx: AsyncSession, project_id: UUID, said: Iterable[Said]) -> None:
    """Adds what is new; the same event, sent again, is not counted again.

    Called late in a transaction: other flushes of the project wait for these rows.
    """
    found: Counter[tuple[date, str, str]] = Counter()
    for one in said:
        if one.event.type == "identified":
            day = one.received_at.astimezone(UTC).date()
            found.update((day, name, verdict) for name, verdict in one.event.props.get(PROOF, {}).items())
    rows = [
        {"day": day.isoformat(), "name": name, "verdict": verdict, "claims": claims}
        for (day, name, verdict), claims in found.items()
    ]
    if rows:
        await tx.execute(_COUNT, {"project": project_id, "rows": json.dumps(rows)})
