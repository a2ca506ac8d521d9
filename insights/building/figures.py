"""What came of a flow, counted by version and step: who came by, what was sent, what became of it, what it earned."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.definition import FlowDefinition
from flows.matching import is_event
from insights.building import questions
from insights.building.drafts import Version
from insights.learning.collect import unit_of
from insights.learning.rewards import GivenBack, Order, Unit, refund_of
from insights.models import Event
from insights.vocabulary.actions import TO_VISITORS
from insights.vocabulary.ids import first_uuid_of_day

PURCHASE: Final = "purchased"
LONGEST_VISIT: Final = timedelta(days=1)


@dataclass(slots=True)
class Messages:
    """What became of messages. ``sent``: accepted, or nobody can say (``unknown``). The others are as providers, links
    and people told; one message may be in several."""

    sent: int = 0
    unknown: int = 0
    rejected: int = 0
    suppressed: int = 0
    under_way: int = 0
    delivered: int = 0
    bounced: int = 0
    opened: int = 0
    clicked: int = 0
    unsubscribed: int = 0
    complained: int = 0
    converted: int = 0
    orders: int = 0
    revenue_minor: Counter[str] = field(default_factory=Counter)
    margin_minor: float | None = None


@dataclass(slots=True)
class StepFigures:
    """One step of one version. ``entered``: runs that came by; ``skipped``: reason → runs; ``ways``: where they went
    on."""

    entered: int = 0
    waiting: int = 0
    done: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    messages: Messages = field(default_factory=Messages)


@dataclass(slots=True)
class VersionFigures:
    """One version. ``not_started``: reason → triggers that began a run which was over at once; ``ended``: reason →
    runs."""

    number: int
    started: int = 0
    waiting: int = 0
    dead: int = 0
    not_started: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    steps: dict[str, StepFigures] = field(default_factory=dict)
    messages: Messages = field(default_factory=Messages)


@dataclass(frozen=True, slots=True)
class Figures:
    """A flow's runs that began in ``since`` … ``until``, by version, the newest first, and all together.

    ``margin_currency``: of the margins; None where the shop named none, and none are told.
    """

    since: datetime
    until: datetime
    versions: Sequence[VersionFigures]
    total: Messages
    margin_currency: str | None


@dataclass(frozen=True, slots=True)
class _Success:
    event: str | None
    name: str | None
    props: Mapping[str, Any]
    within: timedelta


async def figures_of(
    tx: AsyncSession,
    project_id: UUID,
    flow_id: UUID,
    versions: Sequence[Version],
    since: datetime,
    until: datetime,
) -> Figures:
    """The figures of ``versions``. Conversions, revenue and margin are those that each version's own goal and window
    put down to its messages; refunds are taken off."""
    found = {version.id: VersionFigures(version.number) for version in versions}
    for version in versions:
        found[version.id].steps = {name: StepFigures() for name in version.definition.get("steps", {})}
    values = {
        "project": project_id,
        "flow": flow_id,
        "since": since,
        "until": until,
        "to_visitors": [action.value for action in TO_VISITORS],
    }
    for row in await tx.execute(questions.RUNS, values):
        if row.version_id in found:
            _count_runs(found[row.version_id], row)
    for row in await tx.execute(questions.LINES, values):
        if (step := _step(found, row)) is not None:
            _count_line(step, row)
    for row in await tx.execute(questions.DELIVERIES, values):
        if (step := _step(found, row)) is not None:
            _count_message(step.messages, row)
    unit = await unit_of(tx, project_id)
    await _attribute(tx, project_id, versions, found, values, unit)
    for figures in found.values():
        figures.messages = _sum(step.messages for step in figures.steps.values())
    shown = sorted(found.values(), key=lambda one: one.number, reverse=True)
    currency = unit.currency if unit.margin_rate is not None else None
    return Figures(since, until, shown, _sum(one.messages for one in shown), currency)


def _count_runs(figures: VersionFigures, row: Any) -> None:
    # A run that was over at once carries only the word; one that was cancelled later says what by.
    if row.status == "cancelled" and row.reason in ("too_old", "reentry"):
        figures.not_started[row.reason] += row.runs
        return
    figures.started += row.runs
    if row.status in ("waiting", "sending"):
        figures.waiting += row.runs
        if row.step in figures.steps:
            figures.steps[row.step].waiting += row.runs
    elif row.status == "dead":
        figures.dead += row.runs
    else:
        figures.ended[row.reason] += row.runs


def _step(found: Mapping[UUID, VersionFigures], row: Any) -> StepFigures | None:
    version = found.get(row.version_id)
    return version.steps.get(row.step) if version is not None else None


def _count_line(step: StepFigures, row: Any) -> None:
    match row.what:
        case None:
            step.entered = row.runs
        case "skipped":
            step.skipped[row.detail] += row.runs
        case "done":
            step.done += row.runs
        case "then" | "otherwise" | "waited" | "signalled":
            step.ways[row.what] += row.runs
        case "split":
            step.ways[row.detail] += row.runs


def _count_message(messages: Messages, row: Any) -> None:
    match row.status:
        case "accepted" | "unknown":
            messages.sent += row.messages
            if row.status == "unknown":
                messages.unknown += row.messages
        case "intent" | "retry":
            messages.under_way += row.messages
        case "rejected":
            messages.rejected += row.messages
        case "suppressed":
            messages.suppressed += row.messages
    match row.kind:
        case "delivered" | "bounced" | "opened" | "clicked" | "unsubscribed" | "complained" as kind:
            setattr(messages, kind, getattr(messages, kind) + row.messages)


async def _attribute(
    tx: AsyncSession,
    project_id: UUID,
    versions: Sequence[Version],
    found: Mapping[UUID, VersionFigures],
    values: Mapping[str, Any],
    unit: Unit,
) -> None:
    goals = {version.id: goal for version in versions if (goal := _goal(version.definition)) is not None}
    purchases = {key: goal for key, goal in goals.items() if goal.event == PURCHASE and not goal.props}
    if purchases:
        windows = {"versions": list(purchases), "withins": [goal.within for goal in purchases.values()]}
        rows = (await tx.execute(questions.ORDERS, {**values, **windows})).all()
        refunds = await _refunds(tx, project_id, {row.key for row in rows}, values["since"])
        reached: set[UUID] = set()
        for row in rows:
            if (step := _step(found, row)) is not None:
                _count_order(step.messages, row, refunds.get(row.key, ()), unit)
                step.messages.converted += row.delivery_id not in reached
                reached.add(row.delivery_id)
    for event in {goal.event for key, goal in goals.items() if key not in purchases and goal.event is not None}:
        await _reached_goals(
            tx, project_id, event, {k: g for k, g in goals.items() if k not in purchases}, found, values
        )


def _count_order(messages: Messages, row: Any, refunds: Sequence[GivenBack], unit: Unit) -> None:
    order = Order(row.key, row.occurred_at, row.value_minor, row.currency)
    messages.orders += int(Unit().worth(order, refunds))
    if row.value_minor is not None and row.currency is not None:
        # Without a margin rate of 1 this is what was paid less what was given back.
        messages.revenue_minor[row.currency] += round(Unit(1.0, row.currency).worth(order, refunds))
    if unit.margin_rate is not None:
        messages.margin_minor = (messages.margin_minor or 0.0) + unit.worth(order, refunds)


async def _reached_goals(
    tx: AsyncSession,
    project_id: UUID,
    event: str,
    goals: Mapping[UUID, _Success],
    found: Mapping[UUID, VersionFigures],
    values: Mapping[str, Any],
) -> None:
    """Goals that are other events: a message converted where one of the person's followed within the window."""
    first = first_uuid_of_day((values["since"] - LONGEST_VISIT).date())
    told: dict[UUID, list[Any]] = defaultdict(list)
    asked = {"project": project_id, "first": first, "type": event, "since": values["since"]}
    for row in await tx.execute(questions.EVENTS, asked):
        told[row.person].append(row)
    counted: set[UUID] = set()
    # The last message before it, as with orders.
    for row in reversed((await tx.execute(questions.SENT, dict(values))).all()):
        goal = goals.get(row.version_id)
        step = _step(found, row)
        if goal is None or step is None or goal.event != event:
            continue
        for happened in told.get(row.person, ()):
            fits = is_event(event, goal.name, goal.props, {"type": happened.type, "props": happened.props})
            in_time = row.created_at < happened.occurred_at <= row.created_at + goal.within
            if fits and in_time and happened.id not in counted:
                counted.add(happened.id)
                step.messages.converted += 1
                break


async def _refunds(tx: AsyncSession, project_id: UUID, keys: set[str], since: datetime) -> dict[str, list[GivenBack]]:
    found: dict[str, list[GivenBack]] = defaultdict(list)
    if keys:
        rows = await tx.execute(
            select(Event.id, Event.props).where(
                Event.project_id == project_id, Event.type == "refunded", Event.received_at >= since
            )
        )
        for row in rows:
            if (refund := refund_of(row.props, str(row.id))) is not None and refund.order_key in keys:
                found[refund.order_key].append(refund)
    return found


def _goal(definition: Mapping[str, Any]) -> _Success | None:
    """What counts as a conversion of a version; None where nobody wrote down when it happened (segments)."""
    try:
        success = FlowDefinition.model_validate(definition).settings.success
    except ValidationError:
        return None
    goal = success.goal
    return _Success(goal.event, goal.name, goal.props, success.within) if goal.event is not None else None


def _sum(many: Iterable[Messages]) -> Messages:
    total = Messages()
    for one in many:
        for name in Messages.__slots__:
            mine, theirs = getattr(total, name), getattr(one, name)
            if isinstance(theirs, Counter):
                mine.update(theirs)
            elif theirs is not None:
                setattr(total, name, (mine or 0) + theirs)
    return total
