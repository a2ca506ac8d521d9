"""What people say of insights, and the gold that becomes of it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from insights.errors import NotFound, Refused
from insights.evaluation.gold import GoldStory
from insights.models import Insight, InsightFeedback
from insights.timeline.read import read_timeline
from insights.vocabulary.reasons import Kind, Reason, reasons_of

Said = Literal["right", "wrong", "other"]
MOST_GOLD = 10_000


async def say(
    tx: AsyncSession, project_id: UUID, session_id: UUID, said: Said, reason: Reason | None, now: datetime
) -> InsightFeedback:
    """Keeps what a person says of a session's insight; the last word counts.

    ``other`` needs the ``reason`` it is instead, one that fits how the visit ended. Raises NotFound, Refused.
    """
    insight = await tx.scalar(
        select(Insight).where(
            Insight.project_id == project_id, Insight.session_id == session_id, Insight.superseded_at.is_(None)
        )
    )
    if insight is None:
        raise NotFound(f"There is no insight of session {session_id} to say something of; it follows the close.")
    fitting = reasons_of(Kind(insight.kind))
    if said == "other":
        if reason is None or reason not in fitting:
            raise Refused(f"reason: name one of {', '.join(fitting)}.", field="reason")
        if reason.value == insight.reason:
            raise Refused("reason: that is the reason named; say right instead.", field="reason")
    elif reason is not None:
        raise Refused("reason: goes only with other.", field="reason")
    values = {
        "visitor_id": insight.visitor_id,
        "insight_id": insight.id,
        "said": said,
        "reason": insight.reason if said == "right" else reason.value if reason is not None else None,
        "said_at": now,
    }
    await tx.execute(
        insert(InsightFeedback)
        .values(project_id=project_id, session_id=session_id, **values)
        .on_conflict_do_update(index_elements=[InsightFeedback.project_id, InsightFeedback.session_id], set_=values)
    )
    return await tx.get_one(InsightFeedback, (project_id, session_id), populate_existing=True)


async def only_called_wrong(tx: AsyncSession, project_id: UUID) -> int:
    """How many insights people called wrong without saying what it was instead: they cannot be gold."""
    wrong = select(func.count()).where(InsightFeedback.project_id == project_id, InsightFeedback.said == "wrong")
    return await tx.scalar(wrong) or 0


async def gold_of(tx: AsyncSession, project_id: UUID, limit: int = MOST_GOLD) -> list[GoldStory]:
    """The project's sessions whose reason a person has confirmed or corrected, the latest first.

    A bare "wrong" says what it was not, so it is no gold. A visit that has changed kind since (a late order) is left
    out: what was said of it was said of another ending.
    """
    rows = await tx.scalars(
        select(InsightFeedback)
        .where(InsightFeedback.project_id == project_id, InsightFeedback.said != "wrong")
        .order_by(InsightFeedback.said_at.desc())
        .limit(limit)
    )
    stories = []
    for row in rows.all():
        try:
            timeline = await read_timeline(tx, project_id, row.session_id)
        except NotFound:
            continue
        bought = any(event.type == "purchased" for event in timeline.events)
        reason = Reason(str(row.reason))
        if timeline.events and reason in reasons_of(Kind.CONVERTED if bought else Kind.ABANDONED):
            stories.append(GoldStory(str(row.session_id), frozenset({reason}), "", timeline))
    return stories
