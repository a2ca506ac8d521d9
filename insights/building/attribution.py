"""Puts what followed down to messages: each order to the last message before it, in its time, of whatever
flow; each other goal to the last message of its flow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from flows.definition import FlowDefinition, Goal
from flows.matching import is_event
from insights.building import questions
from insights.building.drafts import Version
from insights.building.messages import Messages
from insights.learning.discounts import percents_of
from insights.learning.refunds import refunds_of
from insights.learning.rewards import GivenBack, Order, Unit
from insights.vocabulary.ids import first_uuid_of_day

PURCHASE: Final = "purchased"
LONGEST_VISIT: Final = timedelta(days=1)

Steps = Mapping[tuple[UUID, str], Messages]
"""Version and step → the messages of it."""


@dataclass(frozen=True, slots=True)
class _Success:
    """What counts as a conversion of a version, and for how long after a message."""

    goal: Goal
    within: timedelta

    @property
    def is_order(self) -> bool:
        return self.goal.event == PURCHASE and not self.goal.props


async def attribute(
    tx: AsyncSession, project_id: UUID, versions: Sequence[Version], steps: Steps, asked: Mapping[str, Any], unit: Unit
) -> None:
    """Adds conversions, orders, revenue and margin to the messages. ``asked``: project, flow, since, until and
    to_visitors of the runs; ``unit``: what the shop counts margin in."""
    goals = {version.id: goal for version in versions if (goal := _goal(version.definition)) is not None}
    if any(goal.is_order for goal in goals.values()):
        await _put_down_orders(tx, project_id, await _order_goals(tx, project_id), steps, asked, unit)
    others = {key: goal for key, goal in goals.items() if not goal.is_order}
    if others:
        sent = (await tx.execute(questions.SENT, dict(asked))).all()
        for wanted in {one.goal.model_dump_json(): one.goal for one in others.values()}.values():
            same = {key: one.within for key, one in others.items() if one.goal == wanted}
            _put_down_goals(sent, await _came_true(tx, project_id, wanted, asked["since"]), same, steps)


async def _order_goals(tx: AsyncSession, project_id: UUID) -> dict[UUID, _Success]:
    """The versions of all flows that want an order: whose message was the last before one earned it."""
    rows = await tx.execute(questions.ORDER_GOALS, {"project": project_id})
    found = {row.id: _goal(row.definition) for row in rows}
    return {key: goal for key, goal in found.items() if goal is not None and goal.is_order}


async def _put_down_orders(
    tx: AsyncSession,
    project_id: UUID,
    goals: Mapping[UUID, _Success],
    steps: Steps,
    asked: Mapping[str, Any],
    unit: Unit,
) -> None:
    windows = {"versions": list(goals), "withins": [goal.within for goal in goals.values()]}
    rows = (await tx.execute(questions.ORDERS, {**asked, **windows})).all()
    refunds = await refunds_of(tx, project_id, {row.key for row in rows}, asked["since"])
    percents = await percents_of(tx, project_id, asked["since"]) if unit.margin_rate is not None else {}
    reached: set[UUID] = set()
    for row in rows:
        if (messages := steps.get((row.version_id, row.step))) is not None:
            _count_order(messages, row, refunds.get(row.key, ()), unit, percents.get(row.key, 0))
            messages.converted += row.delivery_id not in reached
            reached.add(row.delivery_id)


def _count_order(messages: Messages, row: Row[Any], refunds: Sequence[GivenBack], unit: Unit, percent: int) -> None:
    order = Order(row.key, row.occurred_at, row.value_minor, row.currency)
    messages.orders += int(Unit().worth(order, refunds))
    if row.value_minor is not None and row.currency is not None:
        # Without a margin rate of 1 this is what was paid less what was given back.
        messages.revenue_minor[row.currency] += round(Unit(1.0, row.currency).worth(order, refunds))
    if unit.margin_rate is not None:
        messages.margin_minor = (messages.margin_minor or 0.0) + unit.worth(order, refunds, percent)


async def _came_true(
    tx: AsyncSession, project_id: UUID, goal: Goal, since: datetime
) -> Mapping[UUID, Sequence[tuple[object, datetime]]]:
    """Person → what is the goal, and when: an event of theirs, or that they came into the segment."""
    found: dict[UUID, list[tuple[object, datetime]]] = defaultdict(list)
    asked: dict[str, Any] = {"project": project_id, "since": since}
    if goal.segment is not None:
        for row in await tx.execute(questions.ENTERED, {**asked, "segment": goal.segment}):
            found[row.person].append((row.id, row.occurred_at))
        return found
    asked |= {"first": first_uuid_of_day((since - LONGEST_VISIT).date()), "type": goal.event}
    for row in await tx.execute(questions.EVENTS, asked):
        if is_event(goal.event or "", goal.name, goal.props, {"type": row.type, "props": row.props}):
            found[row.person].append((row.id, row.occurred_at))
    return found


def _put_down_goals(
    sent: Sequence[Row[Any]],
    came_true: Mapping[UUID, Sequence[tuple[object, datetime]]],
    within: Mapping[UUID, timedelta],
    steps: Steps,
) -> None:
    """A message converted where the goal came true after it in time, and no later message stands between. ``within``:
    version → how long that is."""
    counted: set[object] = set()
    for row in reversed(sent):
        messages, longest = steps.get((row.version_id, row.step)), within.get(row.version_id)
        if messages is None or longest is None:
            continue
        theirs = [
            key
            for key, at in came_true.get(row.person, ())
            if row.created_at < at <= row.created_at + longest and key not in counted
        ]
        counted.update(theirs)
        messages.converted += bool(theirs)


def _goal(definition: Mapping[str, object]) -> _Success | None:
    """What counts as a conversion of a version; None for one that cannot be read any more."""
    try:
        success = FlowDefinition.model_validate(definition).settings.success
    except ValidationError:
        return None
    return _Success(success.goal, success.within)
