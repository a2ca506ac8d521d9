"""What was before a trigger: orders, and earlier runs of the flows that it matches; and whether they forbid another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.plans import PLANNED_ANEW
from flows.deliveries import OPEN_STATUSES
from flows.first_step import Published
from flows.models import Conversion
from flows.ports import NOBODY, ORDER_GROUP, Trigger
from flows.triggers import UNFINISHED

# Value by value through the index of visitors and that of groups, what is found asked for its flow and its deliveries
# (OFFSET holds that apart): a planner that has not seen a table yet takes a flow's or a project's rows for few, and
# would read all of them.
_OF = """
SELECT run.flow_id, run.visitor_id, run.id, run.trigger_group, run.status, run.end_reason, delivery.reached,
       run.started_at
FROM unnest(CAST(:{values} AS {kind}[])) AS wanted, LATERAL (
    SELECT * FROM flow_run WHERE project_id = :project AND {column} = wanted OFFSET 0
) AS run, LATERAL (
    SELECT EXISTS (
        SELECT FROM delivery WHERE project_id = :project AND run_id = run.id AND status = ANY(:reaching) OFFSET 0
    ) AS reached
) AS delivery
WHERE run.flow_id = ANY(:flows)
"""
_RUNS = text(f"""
{_OF.format(values="visitors", kind="uuid", column="visitor_id")}
    AND (run.status = ANY(:unfinished) OR run.started_at > :since OR :once AND delivery.reached)
UNION
{_OF.format(values="groups", kind="text", column="trigger_group")}
ORDER BY started_at
""").execution_options(**PLANNED_ANEW)


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """A run of the same flow. ``reached``: a message of it reached somebody, or may have."""

    id: UUID
    group: str
    status: str
    end_reason: str | None
    reached: bool
    started_at: datetime

    @property
    def unfinished(self) -> bool:
        return self.status in UNFINISHED

    @property
    def stands(self) -> bool:
        """It leaves nothing to do for another one of its group."""
        return self.reached or self.unfinished or self.status == "done"


@dataclass(slots=True)
class Past:
    """What was before: visitors' last orders, and runs by flow and visitor and by flow and trigger group."""

    bought_at: dict[UUID, datetime] = field(default_factory=dict)
    of_visitor: dict[tuple[UUID, UUID], list[EarlierRun]] = field(default_factory=dict)
    of_group: dict[tuple[UUID, str], list[EarlierRun]] = field(default_factory=dict)

    def before(self, flow_id: UUID, trigger: Trigger, person: Collection[UUID]) -> list[EarlierRun]:
        """The flow's runs of the trigger's group."""
        runs = self.of_group.get((flow_id, trigger.group), [])
        if not trigger.group.startswith(ORDER_GROUP):
            return runs
        own = {run.id for visitor in person for run in self.of_visitor.get((flow_id, visitor), ())}
        return [run for run in runs if run.id in own]

    def add(self, flow_id: UUID, visitor_id: UUID, run: EarlierRun) -> None:
        self.of_visitor.setdefault((flow_id, visitor_id), []).append(run)
        self.of_group.setdefault((flow_id, run.group), []).append(run)


async def read_past(
    tx: AsyncSession,
    project_id: UUID,
    people: Mapping[UUID, Collection[UUID]],
    matching: Sequence[tuple[Trigger, Published]],
    now: datetime,
) -> Past:
    """The past of these people (visitor → their devices), as far as the flows they are matched with ask for it."""
    visitors = {visitor for person in people.values() for visitor in person}
    bought = await tx.execute(
        select(Conversion.visitor_id, func.max(Conversion.occurred_at))
        .where(Conversion.project_id == project_id, Conversion.visitor_id.in_(visitors))
        .group_by(Conversion.visitor_id)
    )
    past = Past(bought_at={row[0]: row[1] for row in bought})
    settings = [flow.definition.settings for _, flow in matching]
    runs = await tx.execute(
        _RUNS,
        {
            "project": project_id,
            "flows": list({flow.flow_id for _, flow in matching}),
            "visitors": list(visitors),
            "groups": list({trigger.group for trigger, _ in matching}),
            "unfinished": list(UNFINISHED),
            "reaching": ["accepted", "unknown", *OPEN_STATUSES],
            "since": now - max(one.reentry for one in settings),
            "once": any(one.reenter == "once" for one in settings),
        },
    )
    for row in runs:
        past.add(row[0], row[1], EarlierRun(row[2], row[3], row[4], row[5], row[6], row[7]))
    return past


def refusal(flow: Published, trigger: Trigger, person: Collection[UUID], past: Past, now: datetime) -> str | None:
    """Why this flow starts no run for this trigger: too_old, converted or reentry; None when nothing forbids it."""
    settings = flow.definition.settings
    if now - trigger.occurred_at > settings.max_trigger_age:
        return "too_old"
    orders = [past.bought_at[visitor] for visitor in person if visitor in past.bought_at]
    if settings.exit_on_conversion and any(bought_at >= trigger.occurred_at for bought_at in orders):
        return "converted"
    if settings.reenter == "always" or trigger.visitor_id == NOBODY:
        return None
    for run in (run for visitor in person for run in past.of_visitor.get((flow.flow_id, visitor), ())):
        # One that reached nobody, having been skipped or cancelled in time, stands in nobody's way.
        again = settings.reenter == "after_pause" and run.started_at <= now - settings.reentry
        in_the_way = run.unfinished or (run.reached and not again)
        if in_the_way and run.group != trigger.group:
            return "reentry"
    return None
