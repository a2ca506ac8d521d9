"""What came of a flow, counted by version and step: who came by, what was sent, what became of it, what it earned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from insights.building import questions
from insights.building.attribution import attribute
from insights.building.drafts import Version
from insights.building.messages import Messages, sum_of
from insights.building.order import stored_in_order
from insights.learning.collect import unit_of
from insights.vocabulary.actions import TO_VISITORS


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
        found[version.id].steps = {name: StepFigures() for name in stored_in_order(version.definition)}
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
    steps = {(key, name): step.messages for key, one in found.items() for name, step in one.steps.items()}
    await attribute(tx, project_id, versions, steps, values, unit)
    for figures in found.values():
        figures.messages = sum_of(step.messages for step in figures.steps.values())
    shown = sorted(found.values(), key=lambda one: one.number, reverse=True)
    currency = unit.currency if unit.margin_rate is not None else None
    return Figures(since, until, shown, sum_of(one.messages for one in shown), currency)


def _count_runs(figures: VersionFigures, row: Row[Any]) -> None:
    # A run that was over at once carries only the word; one that was cancelled later says what by.
    if row.at_once:
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


def _step(found: Mapping[UUID, VersionFigures], row: Row[Any]) -> StepFigures | None:
    version = found.get(row.version_id)
    return version.steps.get(row.step) if version is not None else None


def _count_line(step: StepFigures, row: Row[Any]) -> None:
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


def _count_message(messages: Messages, row: Row[Any]) -> None:
    match row.status:
        case "accepted" | "unknown":
            messages.sent += row.messages
            messages.to_visitors += row.to_visitors
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
