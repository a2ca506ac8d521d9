"""What is asked of the store about a flow's runs, messages and what followed them: one statement each."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

RUNS: Final = text("""
SELECT version_id, status, coalesce(split_part(end_reason, ':', 1), '') AS reason,
       CASE WHEN status IN ('waiting', 'sending') THEN step END AS step,
       -- The gate, too, says of a run that they bought: later than it began.
       status = 'cancelled' AND coalesce(end_reason IN ('too_old', 'reentry')
                                         OR end_reason = 'converted' AND ended_at = started_at, false) AS at_once,
       count(*) AS runs
FROM flow_run
WHERE project_id = :project AND flow_id = :flow AND started_at >= :since AND started_at < :until
GROUP BY 1, 2, 3, 4, 5
""")
LINES: Final = text("""
SELECT run.version_id, line.step, line.what,
       CASE WHEN line.what = 'skipped' THEN split_part(line.detail, ':', 1)
            WHEN line.what = 'split' THEN line.detail ELSE '' END AS detail,
       count(DISTINCT run.id) AS runs
FROM flow_run AS run
JOIN run_event AS line ON line.project_id = run.project_id AND line.run_id = run.id
WHERE run.project_id = :project AND run.flow_id = :flow AND run.started_at >= :since AND run.started_at < :until
    AND line.step IS NOT NULL
GROUP BY GROUPING SETS ((1, 2, 3, 4), (1, 2))
""")
DELIVERIES: Final = text("""
SELECT run.version_id, delivery.step, delivery.status, told.kind, count(DISTINCT delivery.id) AS messages,
       count(DISTINCT delivery.id) FILTER (WHERE delivery.action = ANY(:to_visitors)) AS to_visitors
FROM flow_run AS run
JOIN delivery ON delivery.project_id = run.project_id AND delivery.run_id = run.id
LEFT JOIN delivery_event AS told ON told.project_id = delivery.project_id AND told.delivery_id = delivery.id
WHERE run.project_id = :project AND run.flow_id = :flow AND run.started_at >= :since AND run.started_at < :until
GROUP BY GROUPING SETS ((1, 2, 3), (1, 2, 4))
""")
ORDER_GOALS: Final = text("""
SELECT id, definition FROM flow_version WHERE project_id = :project
""")
# Each order is put down to the last message before it, of whatever flow, within the time of that one's version: of two
# flows that reached a buyer only one earned the order.
ORDERS: Final = text("""
WITH sent AS (
    SELECT delivery.id, run.flow_id, run.version_id, delivery.step, delivery.created_at,
           coalesce(person.person_id, delivery.visitor_id) AS person, success.within
    FROM flow_run AS run
    JOIN delivery ON delivery.project_id = run.project_id AND delivery.run_id = run.id
    JOIN unnest(CAST(:versions AS uuid[]), CAST(:withins AS interval[])) AS success(version_id, within)
        ON success.version_id = run.version_id
    LEFT JOIN person ON person.project_id = run.project_id AND person.visitor_id = delivery.visitor_id
    WHERE run.project_id = :project AND delivery.created_at >= :since
        AND (run.flow_id <> :flow OR run.started_at >= :since AND run.started_at < :until)
        AND delivery.status IN ('accepted', 'unknown') AND delivery.action = ANY(:to_visitors)
), bought AS (
    SELECT conversion.*, coalesce(person.person_id, conversion.visitor_id) AS person
    FROM conversion
    LEFT JOIN person ON person.project_id = :project AND person.visitor_id = conversion.visitor_id
    WHERE conversion.project_id = :project AND conversion.occurred_at > :since
), last AS (
    SELECT DISTINCT ON (bought.key) bought.key, bought.occurred_at, bought.value_minor, bought.currency,
           sent.flow_id, sent.version_id, sent.step, sent.id AS delivery_id
    FROM bought
    JOIN sent ON sent.person = bought.person AND bought.occurred_at > sent.created_at
        AND bought.occurred_at <= sent.created_at + sent.within
    ORDER BY bought.key, sent.created_at DESC, sent.id
)
SELECT * FROM last WHERE flow_id = :flow
""")
SENT: Final = text("""
SELECT delivery.id, run.version_id, delivery.step, delivery.created_at,
       coalesce(person.person_id, delivery.visitor_id) AS person
FROM flow_run AS run
JOIN delivery ON delivery.project_id = run.project_id AND delivery.run_id = run.id
LEFT JOIN person ON person.project_id = run.project_id AND person.visitor_id = delivery.visitor_id
WHERE run.project_id = :project AND run.flow_id = :flow AND run.started_at >= :since AND run.started_at < :until
    AND delivery.status IN ('accepted', 'unknown') AND delivery.action = ANY(:to_visitors)
ORDER BY delivery.created_at
LIMIT 100000
""")
EVENTS: Final = text("""
SELECT coalesce(person.person_id, event.visitor_id) AS person, event.id, event.occurred_at, event.type, event.props
FROM event
LEFT JOIN person ON person.project_id = event.project_id AND person.visitor_id = event.visitor_id
WHERE event.project_id = :project AND event.session_id >= :first AND event.type = :type AND event.occurred_at > :since
ORDER BY event.occurred_at
LIMIT 200000
""")
ENTERED: Final = text("""
SELECT coalesce(person.person_id, move.visitor_id) AS person, move.id, move.at AS occurred_at
FROM segment_move AS move
JOIN segment ON segment.project_id = move.project_id AND segment.id = move.segment_id
LEFT JOIN person ON person.project_id = move.project_id AND person.visitor_id = move.visitor_id
WHERE move.project_id = :project AND segment.name = :segment AND move.entered AND move.at > :since
ORDER BY move.at
LIMIT 200000
""")
