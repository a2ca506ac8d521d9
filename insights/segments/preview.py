"""Preview: how many visitors a condition covers now, and who. Bounded in visitors and in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Final
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.conditions import Compiled, Condition, Explanation
from insights.conditions.fields import FIELDS
from insights.models import Session, Visitor
from insights.segments.crowd import Crowd
from insights.segments.knowledge import SOURCE, Group
from insights.segments.store import conditions_of_segments

MOST_VISITORS: Final = 2_000
MOST_SECONDS: Final = 3.0
SAMPLE: Final = 10
_TOGETHER: Final = 100


@dataclass(frozen=True, slots=True)
class Example:
    """A visitor whom the condition covers, and why."""

    visitor_id: UUID
    last_seen_at: datetime
    why: str


@dataclass(slots=True)
class Preview:
    """``unknown``: those of whom too little is known to say; ``total``: the project's visitors.

    ``complete`` when all of them were examined; otherwise the latest ones were, as many as there was time for.
    """

    total: int
    examined: int = 0
    matched: int = 0
    unknown: int = 0
    complete: bool = False
    sample: list[Example] = field(default_factory=list)


async def preview(
    tx: AsyncSession,
    project_id: UUID,
    condition: Condition,
    now: datetime,
    *,
    limit: int = MOST_VISITORS,
    seconds: float = MOST_SECONDS,
    clock: Callable[[], float] = monotonic,
) -> Preview:
    """Looks at the visitors seen last, then at those who never were here, at most ``limit`` and for about
    ``seconds``."""
    until = clock() + seconds
    total = await tx.scalar(select(func.count()).select_from(Visitor).where(Visitor.project_id == project_id)) or 0
    found = Preview(total)
    compiled = Compiled(condition, FIELDS, SOURCE)
    segments = await conditions_of_segments(tx, project_id)
    seen_at = func.max(Session.last_event_at)
    latest: list[tuple[UUID, datetime]] = [
        (visitor_id, at)
        for visitor_id, at in await tx.execute(
            select(Session.visitor_id, seen_at)
            .where(Session.project_id == project_id)
            .group_by(Session.visitor_id)
            .order_by(seen_at.desc(), Session.visitor_id)
            .limit(limit)
        )
    ]
    if len(latest) < limit:
        latest += await _never_here(tx, project_id, limit - len(latest))
    for start in range(0, len(latest), _TOGETHER):
        if clock() >= until:
            return found
        some = latest[start : start + _TOGETHER]
        group = Group(Crowd(tx, project_id, [visitor_id for visitor_id, _ in some], now), segments)
        for visitor_id, last_seen_at in some:
            facts = await group.facts(visitor_id, condition)
            truth = compiled.truth(facts)
            found.examined += 1
            found.unknown += truth is None
            if truth is True:
                found.matched += 1
                if len(found.sample) < SAMPLE:
                    found.sample.append(Example(visitor_id, last_seen_at, compiled.explain(facts).why()))
        # Rows of these visitors are of no use to the next.
        tx.expunge_all()
    found.complete = found.examined == total
    return found


async def _never_here(tx: AsyncSession, project_id: UUID, limit: int) -> list[tuple[UUID, datetime]]:
    """Those of whom only a server told: customers of a till, or of a CRM; and since when they are known."""
    visit = exists().where(Session.project_id == project_id, Session.visitor_id == Visitor.id)
    rows = await tx.execute(
        select(Visitor.id, Visitor.first_seen_at)
        .where(Visitor.project_id == project_id, ~visit)
        .order_by(Visitor.first_seen_at.desc(), Visitor.id)
        .limit(limit)
    )
    return [(row.id, row.first_seen_at) for row in rows]


async def explain_visitor(
    tx: AsyncSession, project_id: UUID, visitor_id: UUID, condition: Condition, now: datetime
) -> Explanation:
    """Whether a condition is true of one visitor now, part by part."""
    facts = await Group(Crowd(tx, project_id, [visitor_id], now)).facts(visitor_id, condition)
    return Compiled(condition, FIELDS, SOURCE).explain(facts)
