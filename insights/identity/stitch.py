"""Writes links down and says who is one person by them, inside the transaction that stores the events.

Events are never rewritten: a visitor points to their person, and what reads a person reads all visitors that point
there. So no trail is lost or counted twice, and a merge that turns out to be wrong is undone by one link.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.personal import Ring, ring_of
from insights.identity.closure import Closure, TooMany, hold, read_closure, stripes
from insights.identity.links import Key, Link, Node, said_together
from insights.identity.people import Division, Refusal, Why, divide

log = structlog.get_logger()

_KNOWN = text("""
SELECT row.n FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS row(
    n int, subject_kind text, subject text, name_kind text, name text, first_at timestamptz, event_id uuid)
JOIN identity_link AS l ON l.project_id = :project
    AND (l.subject_kind, l.subject, l.name_kind, l.name) = (row.subject_kind, row.subject, row.name_kind, row.name)
WHERE (l.first_at, l.event_id) <= (row.first_at, row.event_id)
""")

_SAY = text("""
INSERT INTO identity_link AS old (project_id, subject_kind, subject, name_kind, name, first_at, event_id, session_id,
                                  refused)
SELECT :project, subject_kind, subject, name_kind, name, first_at, event_id, session_id, :refused
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS row(
    subject_kind text, subject text, name_kind text, name text, first_at timestamptz, event_id uuid, session_id uuid)
ON CONFLICT (project_id, subject_kind, subject, name_kind, name) DO UPDATE SET
    first_at = excluded.first_at, event_id = excluded.event_id, session_id = excluded.session_id
WHERE (excluded.first_at, excluded.event_id) < (old.first_at, old.event_id)
""")

_REFUSE = text("""
UPDATE identity_link AS l SET refused = row.refused, refused_users = row.users
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS row(
    subject_kind text, subject text, name_kind text, name text, refused text, users jsonb)
WHERE l.project_id = :project
    AND (l.subject_kind, l.subject, l.name_kind, l.name) = (row.subject_kind, row.subject, row.name_kind, row.name)
""")

_POINTS = text("SELECT visitor_id, person_id FROM person WHERE project_id = :project AND visitor_id = ANY(:visitors)")

_LEAVE = text("DELETE FROM person WHERE project_id = :project AND visitor_id = ANY(:visitors)")

_JOIN = text("""
INSERT INTO person (project_id, visitor_id, person_id)
SELECT :project, visitor_id, person_id
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS row(visitor_id uuid, person_id uuid)
ON CONFLICT (project_id, visitor_id) DO UPDATE SET person_id = excluded.person_id
""")


@dataclass(frozen=True, slots=True)
class Stitched:
    """What a stitch changed. ``joined``: the visitors of each person who has other visitors than before;
    ``changed``: all visitors who belong to other people now, those who left them too."""

    joined: tuple[tuple[UUID, ...], ...] = ()
    changed: frozenset[UUID] = frozenset()


async def stitch(tx: AsyncSession, project_id: UUID, links: Iterable[Link]) -> Stitched:
    """Adds ``links`` and divides whoever is connected with them into people anew.

    Saying the same again reads once, locks nothing and changes nothing. A refused link is kept, with the reason.
    Until the transaction ends nobody else links any of them.
    """
    news = await _news(tx, project_id, said_together(links))
    if not news:
        return Stitched()
    try:
        closure = await _hold_and_say(tx, project_id, news)
    except TooMany:
        return await _one_by_one(tx, project_id, news)
    division = divide(closure.links.values(), closure.shared)
    await _write_refusals(tx, project_id, closure, division)
    return await _point(tx, project_id, closure, division)


async def _news(tx: AsyncSession, project_id: UUID, said: Mapping[Key, Link]) -> dict[Key, Link]:
    links = list(said.values())
    if not links:
        return {}
    ring = ring_of(tx)
    rows = [{"n": n, **_row(link, ring)} for n, link in enumerate(links)]
    known = set(await tx.scalars(_KNOWN, {"project": project_id, "rows": json.dumps(rows)}))
    return {link.key: link for n, link in enumerate(links) if n not in known}


async def _hold_and_say(tx: AsyncSession, project_id: UUID, news: Mapping[Key, Link]) -> Closure:
    said = {node for key in news for node in key}
    # Read first without a lock: in most cases that is all there is to hold.
    nodes: Collection[Node] = (await read_closure(tx, project_id, said)).nodes
    while True:
        attempt = await tx.begin_nested()
        try:
            held = await hold(tx, project_id, nodes)
            await _say(tx, project_id, news.values())
            closure = await read_closure(tx, project_id, said)
        except TooMany:
            await attempt.rollback()
            raise
        if stripes(closure.nodes) <= held:
            await attempt.commit()
            return closure
        # Giving up the savepoint gives the locks back: the larger set is taken in order, from the start.
        await attempt.rollback()
        nodes = {*nodes, *closure.nodes}


async def _one_by_one(tx: AsyncSession, project_id: UUID, news: Mapping[Key, Link]) -> Stitched:
    """One of these is connected with too much: it alone is refused."""
    if len(news) == 1:
        log.warning("identity_link_refused", why=Why.TOO_MANY.value)
        await _say(tx, project_id, news.values(), refused=Why.TOO_MANY)
        return Stitched()
    parts = [await stitch(tx, project_id, [news[key]]) for key in sorted(news)]
    changed = frozenset[UUID]().union(*(part.changed for part in parts))
    return Stitched(tuple(group for part in parts for group in part.joined), changed)


async def _say(tx: AsyncSession, project_id: UUID, links: Iterable[Link], *, refused: Why | None = None) -> None:
    ring = ring_of(tx)
    rows = [_row(link, ring) for link in sorted(links, key=lambda link: link.key)]
    await tx.execute(_SAY, {"project": project_id, "rows": json.dumps(rows), "refused": refused})


async def _write_refusals(tx: AsyncSession, project_id: UUID, closure: Closure, division: Division) -> None:
    rows = []
    ring = ring_of(tx)
    for key in sorted(closure.links):
        refusal = division.refused.get(key)
        if refusal != closure.refused.get(key):
            users = ring.seal_json(_users(refusal))
            rows.append({**_ends(key, ring), "refused": refusal and refusal.why, "users": users})
    if rows:
        await tx.execute(_REFUSE, {"project": project_id, "rows": json.dumps(rows)})


async def _point(tx: AsyncSession, project_id: UUID, closure: Closure, division: Division) -> Stitched:
    """Lets visitors point to their person; who is alone points nowhere."""
    visitors = closure.visitors
    before: dict[UUID, UUID] = {
        row.visitor_id: row.person_id
        for row in await tx.execute(_POINTS, {"project": project_id, "visitors": visitors})
    }
    after = {
        visitor: person.id for person in division.people if len(person.visitors) > 1 for visitor in person.visitors
    }
    gone = [visitor for visitor in visitors if visitor in before and visitor not in after]
    come = [visitor for visitor in visitors if visitor in after and before.get(visitor) != after[visitor]]
    if gone:
        await tx.execute(_LEAVE, {"project": project_id, "visitors": gone})
    if come:
        rows = [{"visitor_id": str(visitor), "person_id": str(after[visitor])} for visitor in come]
        await tx.execute(_JOIN, {"project": project_id, "rows": json.dumps(rows)})
    moved = {*gone, *come}
    joined = tuple(person.visitors for person in division.people if moved.intersection(person.visitors))
    return Stitched(
        tuple(group for group in joined if len(group) > 1),
        frozenset(visitor for group in joined for visitor in group),
    )


def _users(refusal: Refusal | None) -> list[str] | None:
    return list(refusal.users) if refusal is not None and refusal.users is not None else None


def _ends(key: Key, ring: Ring) -> dict[str, str]:
    return {
        "subject_kind": key.subject.kind,
        "subject": ring.seal_end(key.subject.value),
        "name_kind": key.name.kind,
        "name": ring.seal_end(key.name.value),
    }


def _row(link: Link, ring: Ring) -> dict[str, Any]:
    return {
        **_ends(link.key, ring),
        "first_at": link.first_at.isoformat(),
        "event_id": str(link.event_id),
        "session_id": str(link.session_id) if link.session_id is not None else None,
    }
