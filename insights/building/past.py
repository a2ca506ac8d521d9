"""Reads from the store what a rehearsal goes by: visits and events of the past, what came after, who may be reached.

Everything that a message needs is composed for real, in a savepoint that is taken back: nothing of it stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.bounds import first_met, standing
from flows.carriers import chosen
from flows.conditions import explain
from flows.definition import Branch, FlowDefinition, Send, Wait
from flows.engine import Judge, knows_nothing
from flows.matching import condition_of, matches
from flows.models import Conversion, Delivery, Flow, FlowRun, Suppression
from flows.policy import ProjectPolicy, Sent
from flows.ports import Channels, Composed, Composer, Done, Holdout, Knowledge, SendRequest, Skip
from flows.triggers import signal_given_at
from flows.zones import zone
from insights.building.rehearsed import Case, Known
from insights.building.visit_cases import LONGEST_VISIT
from insights.models import Event
from insights.profiles.time_zone import time_zone
from insights.segments.moves import moves_between
from insights.vocabulary.actions import RecoveryAction
from insights.vocabulary.ids import first_uuid_of_day

MOST_EVENTS: Final = 2_000
"""Of one person that waits and goals may ask about."""


class Past:
    """What was, in one transaction."""

    def __init__(
        self,
        tx: AsyncSession,
        project_id: UUID,
        flow: FlowDefinition,
        *,
        composer: Composer,
        knowledge: Knowledge,
        channels: Channels,
        holdout: Holdout,
    ) -> None:
        self.policy = ProjectPolicy()
        self._tx = tx
        self._project_id = project_id
        self._flow = flow
        self._composer = composer
        self._knowledge = knowledge
        self._all_channels = channels
        self._holdout = holdout
        self._channels: Mapping[str, Any] = {}
        self._asking = [step.when for step in flow.steps.values() if isinstance(step, Branch)]
        self._flow_id: UUID | None = None
        self._salt: UUID | None = None
        self._signals: dict[tuple[str, str], datetime | None] = {}

    async def open(self) -> None:
        """Reads what holds for every case."""
        self._channels = await self._all_channels.of(self._tx, self._project_id)
        self.policy, _ = await standing(self._tx, self._project_id, "", None)
        stored = await self._tx.execute(
            select(Flow.id, Flow.salt).where(Flow.project_id == self._project_id, Flow.name == self._flow.name)
        )
        if (flow := stored.one_or_none()) is not None:
            self._flow_id, self._salt = flow

    async def asks_for(self, case: Case) -> bool:
        """Whether the flow asks for this trigger at that time."""
        rule = self._flow.trigger
        if not matches(rule, case.trigger):
            return False
        asked = condition_of(rule)
        if asked is None:
            return True
        visitor, facts = case.trigger.visitor_id, case.trigger.facts
        known = await self._knowledge.known(self._tx, self._project_id, visitor, [asked], facts, case.starts_at)
        return explain(asked, self._knowledge.fields, known).truth is True

    async def known(self, case: Case) -> Known:
        """What came after a case, and what holds for the person."""
        visitor = case.trigger.visitor_id
        zone_name = await time_zone(self._tx, self._project_id, visitor)
        bought = await self._tx.scalars(
            select(Conversion.occurred_at).where(
                Conversion.project_id == self._project_id,
                Conversion.visitor_id.in_(case.person),
                Conversion.occurred_at >= case.trigger.occurred_at,
            )
        )
        sent = await self._tx.execute(
            select(Delivery.channel, Delivery.created_at)
            .join(FlowRun, (FlowRun.project_id == Delivery.project_id) & (FlowRun.id == Delivery.run_id))
            .where(
                Delivery.project_id == self._project_id,
                Delivery.visitor_id.in_(case.person),
                Delivery.marketing.is_(True),
                Delivery.status.in_(("accepted", "unknown", "intent")),
                Delivery.created_at >= case.starts_at - timedelta(days=90),
            )
        )
        return Known(
            zone=zone(zone_name),
            bought=sorted(bought),
            events=await self._events(case),
            entered=await self._entered(case),
            sent=[Sent(row.channel, row.created_at) for row in sent],
            held_out=await self._holdout.holds_back(
                self._tx, self._project_id, visitor, RecoveryAction.SEND_EMAIL.value
            ),
            met_first=await first_met(self._tx, self._project_id, self._flow_id, case.person)
            if self._flow_id is not None
            else None,
            salt=self._salt,
        )

    async def judge(self, case: Case, now: datetime) -> Judge:
        if not self._asking:
            return knows_nothing
        visitor, facts = case.trigger.visitor_id, case.trigger.facts
        known = await self._knowledge.known(self._tx, self._project_id, visitor, self._asking, facts, now)
        return lambda condition: explain(condition, self._knowledge.fields, known)

    async def signal_at(self, name: str, key: str) -> datetime | None:
        if (name, key) not in self._signals:
            self._signals[name, key] = await signal_given_at(self._tx, self._project_id, name, key)
        return self._signals[name, key]

    async def compose(self, case: Case, step_id: str, step: Send, now: datetime) -> Composed | Done | Skip:
        request = SendRequest(
            project_id=self._project_id,
            visitor_id=case.trigger.visitor_id,
            run_id=uuid4(),
            step_id=step_id,
            action=step.action,
            params=step.params,
            trigger=case.trigger.facts,
            now=now,
        )
        composing = await self._tx.begin_nested()
        try:
            return await self._composer.compose(self._tx, request)
        finally:
            await composing.rollback()

    def carries(self, composed: Composed, step: Send) -> bool:
        return chosen(self._channels, composed.channel, composed.via or step.params.get("channel")) is not None

    async def suppressed(self, channel: str, recipient: str | None, now: datetime) -> bool:
        row = await self._tx.get(Suppression, (self._project_id, channel, recipient)) if recipient is not None else None
        return row is not None and row.at <= now

    async def _entered(self, case: Case) -> list[tuple[datetime, str]]:
        found = []
        for segment in {goal.segment for goal in self._flow.settings.goals if goal.segment is not None}:
            moves = await moves_between(
                self._tx,
                self._project_id,
                segment,
                case.starts_at,
                datetime.max.replace(tzinfo=UTC),
                entered=True,
                visitors=case.person,
            )
            found += [(at, segment) for at, _ in moves]
        return found

    async def _events(self, case: Case) -> list[tuple[datetime, Mapping[str, Any]]]:
        waited = [step.event.type for step in self._flow.steps.values() if isinstance(step, Wait) and step.event]
        goals = [goal.event for goal in self._flow.settings.goals if goal.event is not None]
        if not waited and not goals:
            return []
        rows = await self._tx.execute(
            select(Event.occurred_at, Event.type, Event.props)
            .where(
                Event.project_id == self._project_id,
                Event.visitor_id.in_(case.person),
                Event.session_id >= first_uuid_of_day((case.trigger.occurred_at - LONGEST_VISIT).date()),
                Event.type.in_({*waited, *goals}),
                Event.occurred_at >= case.starts_at,
            )
            .order_by(Event.occurred_at)
            .limit(MOST_EVENTS)
        )
        return [(row.occurred_at, {"type": row.type, "props": row.props}) for row in rows]
