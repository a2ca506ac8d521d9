"""Decides what one flush asks of PostgreSQL: its statements, and what their answers say of its entries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from adapters.postgres.arrays import Bigints, Doubles, Texts, Uuids, known_text_piece
from adapters.postgres.exchange import Statement
from insights.events.claims import claims_of, settle
from insights.events.entry import Entry, Part
from insights.events.rows import Key, rows_of
from insights.vocabulary.ids import IdNumber

GOODBYE: Final = timedelta(seconds=2)
"""A page that is left says several last things at once; session_ended need not be the very last of them."""


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """When a session becomes due to close: quiet for so long, or ended and then so long."""

    quiet: timedelta = timedelta(hours=1)
    grace: timedelta = timedelta(minutes=1)

    @property
    def slack(self) -> timedelta:
        """How much longer than ``quiet`` it may last, so that not every batch has to put the time off."""
        return self.quiet / 12


# ON CONFLICT would look first whether each event is stored, which costs half as much as storing it. Where one is, its
# primary key says so, nothing is committed, and the flush is made again without what ``STORED`` names.
# A page and a server tell of one order, and a page of thanks again when it is opened again: flows hear of it once.
# The events are read out of their columns a second time where a flow watches for one of their types. That is seldom so,
# and keeping the rows of every flush for it would cost a tenth of the statement.
APPEND: Final = """
WITH given AS NOT MATERIALIZED (
    SELECT unnest(%(sessions)s::uuid[]) AS session_id, unnest(%(ids)s::uuid[]) AS id,
           unnest(%(visitors)s::uuid[]) AS visitor_id, unnest(%(tabs)s::text[]) AS tab,
           unnest(%(seqs)s::bigint[]) AS seq,
           to_timestamp(unnest(%(times)s::double precision[]) / 1000) AS occurred_at,
           to_timestamp(unnest(%(received)s::double precision[]) / 1000) AS received_at,
           unnest(%(event_types)s::text[]) AS type, unnest(%(urls)s::text[]) AS url,
           jsonb_array_elements(%(props)s::jsonb) AS props
), added AS (
    INSERT INTO event (project_id, session_id, id, visitor_id, tab, seq, occurred_at, received_at, type, url, props)
    SELECT %(project)s, session_id, id, visitor_id, tab, seq, occurred_at, received_at, type, url, props FROM given
)
INSERT INTO flow_occurrence (project_id, id, kind, trigger_key, trigger_group, visitor_id, occurred_at, facts, due_at)
SELECT %(project)s, id, 'event', 'event:' || id,
       CASE WHEN type = 'purchased' THEN 'order:' || (props->>'order_id') ELSE 'event:' || id END,
       visitor_id, occurred_at,
       jsonb_build_object('event', jsonb_build_object(
           'id', id, 'type', type, 'props', props, 'url', url, 'session_id', session_id)),
       received_at
FROM given
WHERE EXISTS (SELECT FROM flow_watch WHERE event = ANY(%(types)s::text[]))
    AND EXISTS (SELECT FROM flow_watch AS watch
                WHERE watch.event = type AND watch.name IN ('', given.props->>'name'))
ON CONFLICT DO NOTHING
"""

# A session that was closed before is looked at again after the grace, not after the quiet time; an order that it did
# not know of opens it again. Whoever comes first, it is the session of its earliest event's visitor. Visitors come
# after sessions: locks are taken in that order everywhere. The answer is their versions, in the order of their ids.
# What is said beside a visit, or at its end, puts nothing off.
# ``close_at`` is indexed: where it stays, the row's five indexes and the log are spared, which is a third of the whole.
TOUCH: Final = """
WITH touched AS (
    SELECT id AS session_id, visitor_id, to_timestamp(started / 1000::float8) AS started_at,
           to_timestamp(last / 1000::float8) AS last_event_at,
           to_timestamp(received / 1000::float8) AS last_received_at,
           to_timestamp(ended / 1000::float8) AS ended_at, purchased, aside
    FROM jsonb_to_recordset(%(visits)s) AS visit(
        id uuid, visitor_id uuid, started bigint, last bigint, received bigint, ended bigint, purchased boolean,
        aside boolean)
), sessions AS (
    INSERT INTO session AS old (project_id, id, visitor_id, started_at, last_event_at, last_received_at, ended_at,
                                purchased, close_at)
    SELECT %(project)s, session_id, visitor_id, started_at, last_event_at, last_received_at, ended_at, purchased,
           last_received_at + CASE WHEN aside OR ended_at >= last_event_at - %(goodbye)s
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
        close_at = CASE
            WHEN old.event_count IS NOT NULL
                OR GREATEST(old.ended_at, excluded.ended_at)
                    >= GREATEST(old.last_event_at, excluded.last_event_at) - %(goodbye)s
            THEN GREATEST(old.last_received_at, excluded.last_received_at) + %(grace)s
            WHEN old.close_at - GREATEST(old.last_received_at, excluded.last_received_at)
                BETWEEN %(quiet)s AND %(quiet)s + %(slack)s
            THEN old.close_at
            WHEN excluded.close_at < excluded.last_received_at + %(quiet)s
            THEN GREATEST(old.close_at, excluded.close_at)
            ELSE GREATEST(old.last_received_at, excluded.last_received_at) + %(quiet)s + %(slack)s END
    RETURNING id
), visitors AS (
    INSERT INTO visitor AS old (project_id, id, first_seen_at, version)
    SELECT %(project)s, id, to_timestamp(first / 1000::float8), events
    FROM jsonb_to_recordset(%(visitors)s) AS seen(id uuid, first bigint, events bigint)
    WHERE (SELECT count(*) FROM sessions) IS NOT NULL
    ORDER BY id
    ON CONFLICT (project_id, id) DO UPDATE SET
        version = old.version + excluded.version, first_seen_at = LEAST(old.first_seen_at, excluded.first_seen_at)
    RETURNING id, version
)
SELECT array_agg(version ORDER BY id) FROM visitors
"""

# Each asked of its own index entry, however many there are and whatever the planner knows of the table.
STORED: Final = """
SELECT array_agg(page.session_id::text || wanted::text)
FROM jsonb_to_recordset(%(pages)s) AS page(session_id uuid, ids uuid[]), unnest(ids) AS wanted, LATERAL (
    SELECT FROM event
    WHERE project_id = %(project)s AND session_id = page.session_id AND id = wanted LIMIT 1) AS found
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
    """What of a flush was not stored before: the keys of its events; None where all of it is new.

    ``stale`` and ``withheld`` count the entries whose profile was behind, and the decisions that fell for it.
    """

    keys: Collection[Key] | None
    stale: int = 0
    withheld: int = 0

    def has(self, session_id: UUID, event_id: UUID) -> bool:
        """Whether this event is new."""
        return self.keys is None or (session_id, event_id) in self.keys


class Flush:
    """What writes ``entries``, all of one project, within one transaction.

    ``stored``: keys of those of their events that are stored already; None when nobody has looked.
    """

    def __init__(
        self, project_id: UUID, entries: Sequence[Entry], times: SessionTimes, stored: Collection[Key] | None
    ) -> None:
        self._entries = entries
        self._claims = claims_of(entries)
        self._rows = rows_of(entries, stored)
        self.statements: list[Statement] = []
        self._touches = self._decides = False
        if self._rows.parts:
            types = Texts.of(map(known_text_piece, self._rows.types), len(self._rows.types))
            values = {"project": project_id, "types": types, **_columns(self._rows.parts)}
            self.statements.append((APPEND, values))
        if self._rows.visits:
            self._touches = True
            values = {
                "project": project_id,
                "grace": times.grace,
                "quiet": times.quiet,
                "slack": times.slack,
                "goodbye": GOODBYE,
                "visits": _encode(list(self._rows.visits.values())).decode(),
                "visitors": _encode(list(self._rows.visitors.values())).decode(),
            }
            self.statements.append((TOUCH, values))
        if decisions := [
            entry.decision
            for entry in entries
            if entry.decision is not None and entry.visitor_id.int not in self._claims.broken
        ]:
            self._decides = True
            values = {
                "rows": _encode(decisions).decode(),
                "claims": _encode(self._claims.of_decisions).decode(),
                "project": project_id,
            }
            self.statements.append((DECIDE, values))

    def told(self, answers: Sequence[tuple[Any, ...] | None]) -> News:
        """What the first row of each answer says; each entry hears whether it knew all of its visitor."""
        versions: dict[IdNumber, int] = {}
        if self._touches:
            (found,) = answers[1] or ((),)
            versions = dict(zip(sorted(self._rows.visitors), found, strict=True))
        undecided = ((answers[-1] or (None,))[0] or ()) if self._decides else ()
        stale, withheld = settle(self._entries, self._claims, versions, undecided)
        return News(self._rows.new, stale, withheld)


def _columns(parts: Sequence[Part]) -> dict[str, Any]:
    """What ``APPEND`` asks for by these names."""
    events = sum(part.events for part in parts)
    columns = [part.columns for part in parts]
    return {
        "sessions": Uuids.of([each.sessions for each in columns], events),
        "ids": Uuids.of([each.ids for each in columns], events),
        "visitors": Uuids.of([each.visitors for each in columns], events),
        "tabs": Texts.of([each.tabs for each in columns], events),
        "seqs": Bigints.of([each.seqs for each in columns], events),
        "times": Doubles.of([each.times for each in columns], events),
        "received": Doubles.of([each.received for each in columns], events),
        "event_types": Texts.of([each.types for each in columns], events),
        "urls": Texts.of([each.urls for each in columns], events),
        "props": (b"[" + b",".join([each.props for each in columns]) + b"]").decode(),
    }


def stored_of(project_id: UUID, entries: Sequence[Entry]) -> Statement:
    """Asks which events of these entries are stored already; ``keys_in`` reads the answer."""
    pages = [{"session_id": entry.session_id, "ids": [event.id for event in entry.events]} for entry in entries]
    return STORED, {"project": project_id, "pages": _encode(pages).decode()}


def keys_in(answer: tuple[Any, ...] | None) -> set[Key]:
    """The keys that the answer to ``stored_of`` names."""
    return {(UUID(text[:36]), UUID(text[36:])) for text in (answer or (None,))[0] or ()}
