"""Decides what one flush asks of PostgreSQL: its statements, and what their answers say of its entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from adapters.postgres.pipe import Statement
from insights.events.claims import Claims, settle
from insights.events.entry import Entry
from insights.events.rows import rows_of
from insights.vocabulary.events import AFTERWARDS

GOODBYE: Final = timedelta(seconds=2)
"""A page that is left says several last things at once; session_ended need not be the very last of them."""


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """When a session becomes due to close: quiet for so long, or ended and then so long."""

    quiet: timedelta = timedelta(hours=1)
    grace: timedelta = timedelta(minutes=1)


# One statement a flush. What was stored before changes nothing: only rows that `added` returns touch a session.
# A session that was closed before is looked at again after the grace, not after the quiet time; an order that it did
# not know of opens it again. Whoever comes first, it is the session of its earliest event's visitor. Visitors come
# after sessions: locks are taken in that order everywhere. The answer names what is new only where something is not,
# and the visitors of whom others wrote meanwhile.
WRITE: Final = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS row(
        session_id uuid, id uuid, visitor_id uuid, tab text, seq bigint, at bigint, received bigint, type text,
        url text, props jsonb)
), added AS (
    INSERT INTO event (project_id, session_id, id, visitor_id, tab, seq, occurred_at, received_at, type, url, props)
    SELECT %(project)s, session_id, id, visitor_id, tab, seq, to_timestamp(at / 1000.0),
           to_timestamp(received / 1000.0), type, url, props
    FROM given
    ON CONFLICT DO NOTHING
    RETURNING session_id, id, visitor_id, occurred_at, received_at, type, url, props
), heard AS (
    INSERT INTO flow_occurrence (project_id, id, kind, trigger_key, trigger_group, visitor_id, occurred_at, facts,
                                 due_at)
    SELECT %(project)s, id, 'event', 'event:' || id, 'event:' || id, visitor_id, occurred_at,
           jsonb_build_object('event', jsonb_build_object(
               'id', id, 'type', type, 'props', props, 'url', url, 'session_id', session_id)),
           received_at
    FROM added
    WHERE EXISTS (SELECT FROM flow_watch AS watch
                  WHERE watch.event = type AND watch.name IN ('', added.props->>'name'))
    ON CONFLICT DO NOTHING
), visited AS (
    SELECT * FROM added WHERE type <> ALL (%(afterwards)s)
), touched AS (
    SELECT session_id, (array_agg(visitor_id ORDER BY occurred_at, visitor_id))[1] AS visitor_id,
           min(occurred_at) AS started_at, max(occurred_at) AS last_event_at, max(received_at) AS last_received_at,
           max(occurred_at) FILTER (WHERE type = 'session_ended') AS ended_at,
           NULLIF(bool_or(type = 'purchased'), false) AS purchased
    FROM visited GROUP BY session_id
), sessions AS (
    INSERT INTO session AS old (project_id, id, visitor_id, started_at, last_event_at, last_received_at, ended_at,
                                purchased, close_at)
    SELECT %(project)s, session_id, visitor_id, started_at, last_event_at, last_received_at, ended_at, purchased,
           last_received_at + CASE WHEN ended_at >= last_event_at - %(goodbye)s
               THEN %(grace)s ELSE %(quiet)s END
    FROM touched ORDER BY session_id
    ON CONFLICT (project_id, id) DO UPDATE SET
        visitor_id = CASE WHEN (excluded.started_at, excluded.visitor_id) < (old.started_at, old.visitor_id)
            THEN excluded.visitor_id ELSE old.visitor_id END,
        started_at = LEAST(old.started_at, excluded.started_at),
        last_event_at = GREATEST(old.last_event_at, excluded.last_event_at),
        last_received_at = GREATEST(old.last_received_at, excluded.last_received_at),
        ended_at = GREATEST(old.ended_at, excluded.ended_at),
        purchased = COALESCE(excluded.purchased, old.purchased),
        closed_at = CASE WHEN excluded.purchased AND old.purchased IS NOT TRUE THEN NULL ELSE old.closed_at END,
        close_at = GREATEST(old.last_received_at, excluded.last_received_at) + CASE
            WHEN old.event_count IS NOT NULL
                OR GREATEST(old.ended_at, excluded.ended_at)
                    >= GREATEST(old.last_event_at, excluded.last_event_at) - %(goodbye)s
            THEN %(grace)s ELSE %(quiet)s END
    RETURNING id
), visitors AS (
    INSERT INTO visitor AS old (project_id, id, first_seen_at, version)
    SELECT %(project)s, visitor_id, min(occurred_at), count(*) FROM visited
    WHERE (SELECT count(*) FROM sessions) IS NOT NULL
    GROUP BY visitor_id ORDER BY visitor_id
    ON CONFLICT (project_id, id) DO UPDATE SET
        version = old.version + excluded.version, first_seen_at = LEAST(old.first_seen_at, excluded.first_seen_at)
    RETURNING id, version
), counted AS (
    SELECT count(*) AS n FROM added
), moved AS (
    SELECT array_agg(id::text) AS ids
    FROM jsonb_to_recordset(%(claims)s) AS claim(id uuid, expected bigint) LEFT JOIN visitors USING (id)
    WHERE version IS NULL OR version <> expected
)
SELECT n, CASE WHEN n < %(count)s THEN (SELECT array_agg(session_id::text || id::text) FROM added) END, moved.ids
FROM counted, moved
"""

# Only who still knew all of the visitor has decided anything. Answers with the decisions that were not written.
DECIDE: Final = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS row(
        id uuid, visitor_id uuid, session_id uuid, event_id uuid, decided_at bigint, policy text, stage text,
        intent jsonb, probabilities jsonb, excluded jsonb, action text, why text, latency_us integer,
        situation double precision[], situation_version integer, rules text, say double precision, entry_id uuid,
        given_minor bigint, held_back text)
), right_of AS (
    UPDATE visitor SET version = version + claim.decisions
    FROM jsonb_to_recordset(%(claims)s) AS claim(id uuid, expected bigint, decisions integer)
    WHERE visitor.project_id = %(project)s AND visitor.id = claim.id
        AND (claim.expected IS NULL OR visitor.version = claim.expected)
    RETURNING visitor.id
), decided AS (
    INSERT INTO decision (project_id, id, visitor_id, session_id, event_id, decided_at, policy, stage, intent,
                          probabilities, excluded, action, why, latency_us, situation, situation_version, rules, say,
                          entry_id, given_minor, held_back)
    SELECT %(project)s, id, visitor_id, session_id, event_id, to_timestamp(decided_at / 1000.0), policy, stage, intent,
           probabilities, excluded, action, why, latency_us, situation, situation_version, rules, say,
           entry_id, given_minor, held_back
    FROM given WHERE visitor_id IN (SELECT id FROM right_of)
    RETURNING id
)
SELECT array_agg(id::text) FROM given
WHERE id NOT IN (SELECT id FROM decided)
    AND NOT EXISTS (SELECT FROM decision WHERE project_id = %(project)s AND decision.id = given.id)
"""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class News:
    """What of a flush was not stored before. ``names``: session id and event id of each; None where all of it is new.

    ``stale`` and ``withheld`` count the entries whose profile was behind, and the decisions that fell for it.
    """

    names: frozenset[str] | None
    stale: int = 0
    withheld: int = 0

    def has(self, session_id: UUID, event_id: UUID) -> bool:
        """Whether this event is new."""
        return self.names is None or f"{session_id}{event_id}" in self.names


def statements_of(project_id: UUID, entries: Sequence[Entry], claims: Claims, times: SessionTimes) -> list[Statement]:
    """What writes the entries, all of one project, within one transaction."""
    rows = [row for entry in entries for row in rows_of(entry)]
    statements: list[Statement] = [
        (
            WRITE,
            {
                "rows": _encode(rows).decode(),
                "count": len(rows),
                "claims": _encode(claims.of_events).decode(),
                "project": project_id,
                "grace": times.grace,
                "quiet": times.quiet,
                "goodbye": GOODBYE,
                "afterwards": list(AFTERWARDS),
            },
        )
    ]
    decisions = [
        entry.decision for entry in entries if entry.decision is not None and entry.visitor_id not in claims.broken
    ]
    if decisions:
        values = {
            "rows": _encode(decisions).decode(),
            "claims": _encode(claims.of_decisions).decode(),
            "project": project_id,
        }
        statements.append((DECIDE, values))
    return statements


def told(entries: Sequence[Entry], claims: Claims, answers: Sequence[tuple[Any, ...] | None]) -> News:
    """What the first row of each answer says; each entry hears whether it knew all of its visitor."""
    count, names, moved = answers[0] or (0, None, None)
    undecided = (answers[1] or (None,))[0] if len(answers) > 1 else None
    stale, withheld = settle(entries, claims, moved or (), undecided or ())
    return News(None if count and names is None else frozenset(names or ()), stale, withheld)
