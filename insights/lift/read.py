"""Reads who reached a moment for acting, whom of them the holdout held back, and what they did after it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from flows.ports import NOBODY
from insights.errors import Refused
from insights.learning.collect import unit_of
from insights.learning.discounts import percents_of
from insights.learning.refunds import refunds_of
from insights.learning.rewards import GivenBack, Order, Unit
from insights.lift.people import Known, Person
from insights.lift.report import Question
from insights.models import Shop
from insights.segments.stored_fields import device_of
from insights.vocabulary.actions import TO_VISITORS

MOST: Final = 300_000
"""People in one report."""
AT_ONCE: Final = 1_000
"""Rows that are read before somebody else has a turn."""
HORIZON_DAYS: Final = 7
BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)

# The first moment of each person: something was done, or would have been but for the holdout or an empty budget. Who
# was there before the share changed is left out where somebody was held out then: their past differs by group.
_FIRST = text("""
WITH moment AS (
    SELECT visitor_id, session_id, decided_at AS at, policy = 'holdout' AS held_out,
           coalesce(held_back, CASE WHEN policy = 'holdout' THEN rules ELSE action END) AS action, stage
    FROM decision
    WHERE project_id = :project AND decided_at >= :from AND decided_at < :until AND CAST(:flow AS uuid) IS NULL
    UNION ALL
    -- A run goes on by the version that it began with: one from before a flow's share changed is of the older share.
    SELECT delivery.visitor_id, (run.facts -> 'insight' ->> 'session_id')::uuid,
           CASE WHEN run.started_at < :begun THEN run.started_at ELSE delivery.created_at END, false,
           delivery.action, NULL
    FROM delivery
    JOIN flow_run AS run ON run.project_id = delivery.project_id AND run.id = delivery.run_id
    WHERE delivery.project_id = :project AND delivery.created_at >= :from AND delivery.created_at < :until
        AND delivery.action = ANY(:to_visitors) AND run.flow_id = coalesce(CAST(:flow AS uuid), run.flow_id)
    UNION ALL
    -- What a flow keeps for a next visit is done at once, and no delivery tells of it. What a flow holds back by itself
    -- is a holdout for that flow alone; of all together both have come to their moment, for among those whom the
    -- shop's holdout keeps it from there are as many of the flow's own.
    SELECT run.visitor_id, (run.facts -> 'insight' ->> 'session_id')::uuid,
           CASE WHEN run.started_at < :begun THEN run.started_at ELSE line.at END,
           line.what = 'skipped' AND (line.detail LIKE 'held_out:%' OR CAST(:flow AS uuid) IS NOT NULL),
           version.definition -> 'steps' -> line.step ->> 'action', NULL
    FROM run_event AS line
    JOIN flow_run AS run ON run.project_id = line.project_id AND run.id = line.run_id
    JOIN flow_version AS version ON version.project_id = run.project_id AND version.id = run.version_id
    WHERE line.project_id = :project AND line.at >= :from AND line.at < :until
        AND run.flow_id = coalesce(CAST(:flow AS uuid), run.flow_id)
        AND (line.what = 'done' OR line.what = 'skipped' AND (line.detail LIKE 'held_out:%'
            OR line.detail LIKE 'flow_holdout:%'))
        AND version.definition -> 'steps' -> line.step ->> 'action' = ANY(:to_visitors)
), first AS (
    SELECT DISTINCT ON (coalesce(person.person_id, moment.visitor_id))
           coalesce(person.person_id, moment.visitor_id) AS person, moment.*
    FROM moment
    LEFT JOIN person ON person.project_id = :project AND person.visitor_id = moment.visitor_id
    WHERE moment.at >= :from AND moment.action <> 'do_nothing' AND moment.visitor_id <> :nobody
    ORDER BY 1, moment.at
)
SELECT first.person, first.at, first.held_out, first.action, coalesce(first.stage, visit.stage) AS stage,
       visit.source ->> 'utm_medium' AS medium, visit.source ->> 'utm_source' AS campaign,
       visit.source ->> 'referrer' AS referrer, visit.source ->> 'click_id' AS click_id,
       visit.client ->> 'viewport' AS viewport, before.visits, bought.orders, bought.spent
FROM first
LEFT JOIN session AS visit ON visit.project_id = :project AND visit.id = first.session_id
LEFT JOIN LATERAL (
    SELECT count(*) AS visits FROM session AS earlier
    WHERE earlier.project_id = :project AND earlier.visitor_id = first.visitor_id
        AND earlier.started_at < visit.started_at
) AS before ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS orders, coalesce(sum(value_minor), 0)::double precision AS spent FROM conversion
    WHERE project_id = :project AND visitor_id = first.visitor_id
        AND occurred_at < coalesce(visit.started_at, first.at)
) AS bought ON true
WHERE first.at >= :since
ORDER BY first.at, first.person
LIMIT :most
""")

# Those of a visit. Of an order at a till, or one that only a server told of, it is known whose it is only if the person
# goes by a name here, and acting makes people say theirs: the held out would seem to buy less.
_ORDERS = text("""
SELECT coalesce(person.person_id, conversion.visitor_id) AS person, conversion.key, conversion.occurred_at,
       conversion.value_minor, conversion.currency
FROM conversion
LEFT JOIN person ON person.project_id = :project AND person.visitor_id = conversion.visitor_id
WHERE conversion.project_id = :project AND conversion.occurred_at > :since AND conversion.occurred_at <= :until
    AND (conversion.session_id IS NULL OR EXISTS (
        SELECT FROM session WHERE session.project_id = :project AND session.id = conversion.session_id))
""")


@dataclass(frozen=True, slots=True)
class OfFlow:
    """One flow: only its own messages are moments. ``share``: from how many it holds back itself, beside the shop's
    holdout, since ``since``. ``held_before``: it held back another share before, by the same draw."""

    flow_id: UUID
    share: float
    since: datetime
    held_before: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """What was read for a question, and the question with what the shop says filled in. ``percents``: key of an order →
    what was off it."""

    question: Question
    unit: Unit = field(default_factory=Unit)
    rows: Sequence[Row[Any]] = ()
    orders: Mapping[UUID, Sequence[Order]] = field(default_factory=dict)
    refunds: Mapping[str, Sequence[GivenBack]] = field(default_factory=dict)
    percents: Mapping[str, int] = field(default_factory=dict)

    def people(self) -> list[Person]:
        """The people, in the order of their moments. Of many this takes seconds: not for the thread that answers
        visitors."""
        return [self._person(row) for row in self.rows]

    def _person(self, row: Row[Any]) -> Person:
        until = row.at + self.question.horizon
        counted = [order for order in self.orders.get(row.person, ()) if row.at < order.at <= until]
        return Person(
            at=row.at,
            held_out=row.held_out,
            action=row.action,
            stage=row.stage,
            known=Known(
                visits=row.visits or 0,
                orders=row.orders or 0,
                spent_minor=row.spent or 0.0,
                device=device_of({"viewport": row.viewport}),
                source=source_of(row.medium, row.campaign, row.referrer, row.click_id),
            ),
            orders=sum(Unit().worth(order, self.refunds.get(order.key, ())) for order in counted),
            margin=sum(map(self._margin, counted)) if self.question.currency is not None else 0.0,
        )

    def _margin(self, order: Order) -> float:
        return self.unit.worth(order, self.refunds.get(order.key, ()), self.percents.get(order.key, 0))


async def read_people(
    tx: AsyncSession,
    project_id: UUID,
    now: datetime,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    horizon_days: int = HORIZON_DAYS,
    detect: float = 0.1,
    flow: OfFlow | None = None,
) -> Read:
    """The people whose first moment lies in ``since`` … ``until``, times with a zone; without them, since the holdout
    became what it is, until now. With ``flow`` its messages alone are moments. Raises Refused for a window that is none
    or holds too many people."""
    shop = await tx.scalar(select(Shop).where(Shop.project_id == project_id))
    changed = (shop.holdout_since if shop is not None else None) or BEGINNING
    if flow is not None:
        changed = max(changed, flow.since)
    begin, end = max(since or changed, changed), min(until or now, now)
    if since is not None and until is not None and since >= until:
        raise Refused("since: must lie before until.", field="since")
    horizon = timedelta(days=horizon_days)
    unit = await unit_of(tx, project_id)
    share = shop.holdout if shop is not None else 0.0
    if flow is not None:
        share = 1 - (1 - share) * (1 - flow.share)
    currency = unit.currency if unit.margin_rate is not None else None
    if share <= 0 or begin >= end:
        first = begin if begin > BEGINNING else end
        return Read(Question(min(first, end), end, now, horizon, share, detect, currency))
    held_before = shop is not None and (shop.holdout_before or 0) > 0
    seen_before = held_before or (flow is not None and flow.held_before)
    values = {
        "project": project_id,
        "from": BEGINNING if seen_before else changed,
        "begun": flow.since if flow is not None else BEGINNING,
        "since": begin,
        "until": end,
        "to_visitors": [action.value for action in TO_VISITORS],
        "most": MOST + 1,
        "flow": flow.flow_id if flow is not None else None,
        "nobody": NOBODY,
    }
    rows = [row async for row in _in_parts(tx, _FIRST, values)]
    if len(rows) > MOST:
        raise Refused(f"since: more than {MOST:,} people reached a moment; choose a shorter time.", field="since")
    if begin == BEGINNING:
        begin = rows[0].at if rows else end
    orders = await _orders(tx, project_id, begin, end + horizon)
    refunds = await refunds_of(tx, project_id, {order.key for theirs in orders.values() for order in theirs}, begin)
    percents = await percents_of(tx, project_id, begin, end + horizon) if currency is not None else {}
    return Read(Question(begin, end, now, horizon, share, detect, currency), unit, rows, orders, refunds, percents)


async def _in_parts(tx: AsyncSession, query: TextClause, values: Mapping[str, object]) -> AsyncIterator[Any]:
    """The rows of a query, read so that visitors are answered in between."""
    async for part in (await tx.stream(query, values)).partitions(AT_ONCE):
        for row in part:
            yield row


SEARCH: Final = ("google.", "bing.", "duckduckgo.", "yahoo.", "ecosia.", "yandex.", "baidu.", "startpage.", "qwant.")
PAID: Final = ("cpc", "ppc", "paid")


def source_of(medium: str | None, campaign: str | None, referrer: str | None, click_id: str | None) -> str:
    """The kind of way a visit came by: paid, campaign, email, search, referral or direct. ``campaign``: utm_source."""
    if (click_id and click_id != "false") or medium in PAID:
        return "paid"
    if medium == "email" or campaign == "whyleft":
        return "email"
    if campaign or medium:
        return "campaign"
    if not referrer:
        return "direct"
    return "search" if any(f".{engine}" in f".{referrer}" for engine in SEARCH) else "referral"


async def _orders(tx: AsyncSession, project_id: UUID, since: datetime, until: datetime) -> dict[UUID, list[Order]]:
    orders: dict[UUID, list[Order]] = defaultdict(list)
    async for row in _in_parts(tx, _ORDERS, {"project": project_id, "since": since, "until": until}):
        orders[row.person].append(Order(row.key, row.occurred_at, row.value_minor, row.currency))
    return orders
