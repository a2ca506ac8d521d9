"""Starts the flows that a new pattern triggers: one run for the shop, or one for each visitor behind it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from flows.ports import Trigger
from flows.starting import start_runs
from insights.identity.together import hold_people
from insights.patterns.evidence import Evidence
from insights.segments.knowledge import VisitorKnowledge

KIND: Final = "pattern"
NOBODY: Final = UUID(int=0)
"""The visitor of a run for the shop itself."""


async def start_flows(
    tx: AsyncSession, project_id: UUID, pattern: Mapping[str, object], evidence: Evidence, now: datetime
) -> list[UUID]:
    """Starts the runs of a pattern's flows; the new ones. ``pattern``: the values of its row."""
    triggers = triggers_of(pattern, evidence, now)
    people = await hold_people(tx, project_id, {one.visitor_id for one in triggers if one.visitor_id != NOBODY})
    return await start_runs(tx, project_id, triggers, now, VisitorKnowledge(), same_person=people)


def triggers_of(pattern: Mapping[str, Any], evidence: Evidence, now: datetime) -> list[Trigger]:
    """One for the shop, one for each visitor behind it (500 at most, the newest)."""
    rises = pattern["after"] > pattern["before"]
    page = pattern["name"] if pattern["dimension"] == "page" else pattern["params"].get("page")
    facts = {
        "pattern": {
            "id": str(pattern["id"]),
            "kind": pattern["kind"],
            "reason": pattern["reason"],
            "direction": "up" if rises else "down",
            "dimension": pattern["dimension"],
            "name": pattern["name"],
            "page": page,
            "before": pattern["before"],
            "after": pattern["after"],
            "sessions": pattern["sessions"],
            "began_at": pattern["began_at"].isoformat(),
            "action": pattern["action"],
            "narrative": pattern["narrative"],
        },
        # What a ticket says: the error that they share, and a visit to look at.
        "insight": {
            "session_id": str(evidence.session_ids[0]) if evidence.session_ids else None,
            "kind": pattern["kind"],
            "reason": pattern["reason"],
            "narrative": pattern["narrative"],
        },
        "session": {"exit_path": page, "ended_at": now.isoformat()},
        "error": None if evidence.shared.error is None else dict(evidence.shared.error),
    }
    key = f"pattern:{pattern['id']}"
    return [
        Trigger(KIND, f"{key}:{visitor_id}", f"{key}:{visitor_id}", visitor_id, now, facts)
        for visitor_id in (NOBODY, *evidence.visitor_ids)
    ]
