"""Closes a group of sessions in the store: their rows, insights, runs and segments, in the caller's transaction.

Later visits of the same people, closed before these, are looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.leases import Lease
from insights.classification.conclusions import Conclusion, confirm_insights, write_insights
from insights.classification.outcome import stage_reached
from insights.classification.readings import Reading, moved
from insights.events.flush import GOODBYE
from insights.identity.together import visitors_together
from insights.models import Insight, Session
from insights.segments import membership
from insights.timeline.assemble import Summary, summarise

_CLOSE = text("""
UPDATE session SET
    lease_until = NULL, closed_at = CASE WHEN new.stands THEN closed_at ELSE :now END, close_at = NULL,
    close_reason = new.close_reason,
    started_at = new.started_at, last_event_at = new.last_event_at, event_count = new.event_count,
    landing_path = new.landing_path, exit_path = new.exit_path,
    paths = ARRAY(SELECT json_array_elements_text(new.paths)),
    shown = ARRAY(SELECT json_array_elements_text(new.shown)), purchased = new.purchased,
    cart_value_minor = new.cart_value_minor, currency = new.currency, source = new.source, client = new.client,
    stage = new.stage, product = new.product,
    kind = COALESCE(new.kind, session.kind), reason = COALESCE(new.reason, session.reason)
FROM json_to_recordset(:rows) AS new(
    id uuid, close_reason text, started_at timestamptz, last_event_at timestamptz, event_count integer,
    landing_path text, exit_path text, paths json, shown json, purchased boolean, cart_value_minor bigint,
    currency text, source jsonb, client jsonb, stage text, product text, stands boolean, kind text, reason text)
WHERE session.project_id = :project AND session.id = new.id
""")

# A row that a flush holds is looked at again anyway: the flush says so.
_LATER = text("""
WITH later AS (
    SELECT session.id
    FROM unnest(CAST(:sessions AS uuid[]), CAST(:visitors AS uuid[])) AS own(session_id, visitor_id)
    JOIN session ON session.project_id = :project AND session.visitor_id = own.visitor_id
        AND session.id > own.session_id
    WHERE session.closed_at IS NOT NULL AND session.close_at IS NULL
    FOR UPDATE OF session SKIP LOCKED
)
UPDATE session SET close_at = :now FROM later WHERE session.project_id = :project AND session.id = later.id
""")


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a group: the sessions that were closed, what was new to say of them, and how many leases had run
    out. ``nobody``: sessions that were no visits, with the visitors who have one less."""

    closed: list[UUID]
    news: list[Conclusion]
    lost: int
    nobody: Mapping[UUID, UUID]


async def write_group(
    tx: AsyncSession,
    leases: Sequence[Lease],
    readings: Mapping[UUID, Reading],
    conclusions: Mapping[UUID, Conclusion],
    clock: Callable[[], datetime],
) -> Written:
    """Closes those sessions of one project that are still ours and as they were read. Where more came in meanwhile the
    lease ends, and ``close_at`` says when to look again."""
    project_id = leases[0].project_id
    tokens = {lease.id: lease.token for lease in leases}
    rows = await tx.execute(
        select(
            Session.id,
            Session.visitor_id,
            Session.closed_at,
            Session.lease_token,
            Session.last_received_at,
            Session.ended_at,
            Session.last_event_at,
            Session.close_reason,
        )
        .where(Session.project_id == project_id, Session.id.in_(list(readings)))
        .order_by(Session.id)
        .with_for_update()
    )
    found = rows.all()
    ours = {row.id: row for row in found if row.lease_token == tokens[row.id]}
    changed = await moved(tx, project_id, {session_id: readings[session_id] for session_id in ours})
    changed |= {i for i, row in ours.items() if row.last_received_at != readings[i].last_received_at}
    if changed:
        await tx.execute(
            update(Session).where(Session.project_id == project_id, Session.id.in_(changed)).values(lease_until=None)
        )
    reasons = {
        session_id: row.close_reason if row.close_reason == "explicit" else _reason(row.ended_at, row.last_event_at)
        for session_id, row in ours.items()
        if session_id not in changed
    }
    nobody = {i: ours[i].visitor_id for i in reasons if readings[i].timeline.is_no_visit}
    await _forget(tx, project_id, nobody)
    reasons = {session_id: reason for session_id, reason in reasons.items() if session_id not in nobody}
    written = {session_id: conclusions[session_id] for session_id in reasons if session_id in conclusions}
    now = clock()
    # Before these are closed: what was read together knows of each other.
    first = {session_id: ours[session_id].visitor_id for session_id in reasons if not ours[session_id].closed_at}
    await look_again_at_later(tx, project_id, first, now)
    await close_sessions(tx, project_id, reasons, readings, written, now)
    await confirm_insights(tx, project_id, [one for one in map(readings.get, reasons) if one and one.standing])
    news = await write_insights(tx, project_id, list(written.values()), now)
    people = {new.reading.timeline.visitor_id for new in written.values()} | set(nobody.values())
    await membership.refresh(tx, project_id, people, now)
    return Written(list(reasons), news, len(found) - len(ours), nobody)


async def _forget(tx: AsyncSession, project_id: UUID, sessions: Collection[UUID]) -> None:
    """Their events stay: who the visitors are is known by them."""
    if sessions:
        for table, column in ((Insight, Insight.session_id), (Session, Session.id)):
            await tx.execute(delete(table).where(table.project_id == project_id, column.in_(sessions)))


async def close_sessions(
    tx: AsyncSession,
    project_id: UUID,
    reasons: Mapping[UUID, str],
    readings: Mapping[UUID, Reading],
    conclusions: Mapping[UUID, Conclusion],
    now: datetime,
) -> None:
    """The rows of sessions, each closed for its reason, with the summary of its events; without any, as they were.

    Where there is no conclusion because an insight stands, the session stays closed as it was, with a new summary;
    what a conclusion came to is noted in its row.
    """
    rows = []
    for session_id, reason in reasons.items():
        timeline = readings[session_id].timeline
        if timeline.events:
            known = conclusions.get(session_id)
            columns = _columns(summarise(timeline) if known is None else known.summary)
            said = {} if known is None else {name: known.insight[name] for name in ("kind", "reason")}
            rows.append({"id": session_id, "close_reason": reason, "stands": known is None, **columns, **said})
    if rows:
        await tx.execute(_CLOSE, {"project": project_id, "now": now, "rows": msgspec.json.encode(rows).decode()})
    for session_id in [session_id for session_id in reasons if not readings[session_id].timeline.events]:
        await tx.execute(
            update(Session)
            .where(Session.project_id == project_id, Session.id == session_id)
            .values(
                lease_until=None,
                closed_at=func.coalesce(Session.closed_at, now),
                close_at=None,
                close_reason=reasons[session_id],
            )
        )


async def look_again_at_later(tx: AsyncSession, project_id: UUID, sessions: Mapping[UUID, UUID], now: datetime) -> None:
    """Has later sessions of the same people looked at again, where they were closed before these (session → visitor):
    to them these are earlier visits, perhaps with an order, that they may not have known of."""
    together = await visitors_together(tx, project_id, set(sessions.values()))
    own = [(session_id, other) for session_id, visitor in sessions.items() for other in together[visitor]]
    if own:
        ids, visitors = [one for one, _ in own], [other for _, other in own]
        await tx.execute(_LATER, {"project": project_id, "sessions": ids, "visitors": visitors, "now": now})


def _reason(ended_at: datetime | None, last_event_at: datetime) -> str:
    return "ended" if ended_at is not None and ended_at >= last_event_at - GOODBYE else "quiet"


def _columns(summary: Summary) -> dict[str, Any]:
    return {
        "started_at": summary.started_at,
        "last_event_at": summary.last_event_at,
        "event_count": summary.event_count,
        "landing_path": summary.landing_path,
        "exit_path": summary.exit_path,
        "paths": summary.paths,
        "shown": summary.shown,
        "purchased": summary.purchased,
        "cart_value_minor": summary.cart_value_minor,
        "currency": summary.currency,
        "product": summary.product,
        "source": summary.source,
        "client": summary.client,
        "stage": stage_reached(summary).value,
    }
