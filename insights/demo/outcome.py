"""Counts what came of the demo's visits, from the database: nothing here is told by the demo itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from adapters.postgres.engine import Database
from flows.models import Delivery, FlowRun
from insights.demo.visitors import Visit
from insights.models import Decision, Insight

UNFINISHED = ("waiting", "sending")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the demo prints."""

    sessions: int
    insights: dict[str, int]
    decisions: dict[str, int]
    runs: int
    deliveries: dict[str, int]
    stories: list[dict[str, str]]

    @property
    def as_expected(self) -> int:
        """Stories whose reason is the one that a person would name."""
        return sum(story["expected"] == story["got"] for story in self.stories)


async def reasons_of(database: Database, project_id: UUID, sessions: Sequence[UUID]) -> dict[UUID, str]:
    """Session → reason, of those that are classified by now."""
    async with database.transaction(project_id) as tx:
        rows = await tx.execute(
            select(Insight.session_id, Insight.reason).where(
                Insight.project_id == project_id,
                Insight.session_id.in_(sessions),
                Insight.superseded_at.is_(None),
            )
        )
        return {row[0]: row[1] for row in rows}


async def sends_pending(database: Database, project_id: UUID, visitors: Sequence[UUID]) -> int:
    """Runs of these visitors that will send before long (a wait for a signal may last for days)."""
    async with database.transaction(project_id) as tx:
        return int(
            await tx.scalar(
                select(func.count())
                .select_from(FlowRun)
                .where(
                    FlowRun.project_id == project_id,
                    FlowRun.visitor_id.in_(visitors),
                    FlowRun.status.in_(UNFINISHED),
                    FlowRun.signal.is_(None),
                )
            )
            or 0
        )


async def outcome_of(database: Database, project_id: UUID, visits: Sequence[Visit]) -> Outcome:
    """What came of ``visits``."""
    sessions = [visit.session_id for visit in visits]
    visitors = [visit.visitor_id for visit in visits]
    reasons = await reasons_of(database, project_id, sessions)
    async with database.transaction(project_id) as tx:
        decisions = await tx.execute(
            select(Decision.action, func.count())
            .where(Decision.project_id == project_id, Decision.session_id.in_(sessions))
            .group_by(Decision.action)
        )
        runs = await tx.scalar(
            select(func.count())
            .select_from(FlowRun)
            .where(FlowRun.project_id == project_id, FlowRun.visitor_id.in_(visitors))
        )
        deliveries = await tx.execute(
            select(Delivery.channel, func.count())
            .where(Delivery.project_id == project_id, Delivery.visitor_id.in_(visitors), Delivery.status == "accepted")
            .group_by(Delivery.channel)
        )
        counted: dict[str, Any] = {
            "decisions": {row[0]: row[1] for row in decisions},
            "deliveries": {row[0]: row[1] for row in deliveries},
        }
    return Outcome(
        sessions=len(sessions),
        insights=dict(Counter(reasons.values()).most_common()),
        runs=int(runs or 0),
        stories=[
            {
                "story": visit.story.name,
                "expected": visit.story.expected.value,
                "got": reasons.get(visit.session_id, "none"),
            }
            for visit in visits
        ],
        **counted,
    )
