"""Reads from the store what a rehearsal goes by: visits and events of the past, what came after, who may be reached.

Everything that a message needs is composed for real, in a savepoint that is taken back: nothing of it stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.bounds import standing
from flows.conditions import explain
from flows.definition import Branch, EventTrigger, FlowDefinition, InsightTrigger, Send, Wait
from flows.engine import Judge, knows_nothing
from flows.gate import chosen
from flows.matching import condition_of, matches
from flows.models import Conversion, Delivery, FlowRun, Suppression
from flows.policy import ProjectPolicy, Sent
from flows.ports import Channels, Composed, Composer, Done, Holdout, Knowledge, SendRequest, Skip, Trigger
from flows.triggers import signal_given_at
from insights.building.rehearsal import Case, Known
from insights.errors import Refused
from insights.identity.together import person_id_of, visitors_together
from insights.models import Event, Insight, Session
from insights.profiles.time_zone import time_zone, zone
from insights.recovery.scene import VisitScene
from insights.recovery.trigger import insight_trigger
from insights.timeline.read import read_timelines
from insights.vocabulary.actions import RecoveryAction
from insights.vocabulary.ids import first_uuid_of_day

LONGEST_VISIT: Final = timedelta(days=1)
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
        self._signals: dict[tuple[str, str], datetime | None] = {}

    async def open(self) -> None:
        """Reads what holds for every case."""
        self._channels = await self._all_channels.of(self._tx, self._project_id)
        self.policy, _ = await standing(self._tx, self._project_id, "", None)

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
            zone=zone(zone_name) if zone_name is not None else None,
            bought=sorted(bought),
            events=await self._events(case),
            sent=[Sent(row.channel, row.created_at) for row in sent],
            held_out=await self._holdout.holds_back(
                self._tx, self._project_id, visitor, RecoveryAction.SEND_EMAIL.value
            ),
            person_id=await person_id_of(self._tx, self._project_id, visitor),
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


async def cases_between(
    tx: AsyncSession, project_id: UUID, flow: FlowDefinition, since: datetime, until: datetime, most: int
) -> list[Case]:
    """The latest ``most`` triggers in a time, in the order in which they came. Raises Refused for a trigger of which
    the store keeps no history."""
    match flow.trigger:
        case InsightTrigger() as rule:
            found = await _insights(tx, project_id, rule, since, until, most)
        case EventTrigger() as rule:
            found = await _events(tx, project_id, rule, since, until, most)
        case _:
            raise Refused(
                f"trigger: of {flow.trigger.on} triggers no history is kept; only flows that start on insights and "
                "events can be previewed. Step through one session instead.",
                field="definition.trigger.on",
            )
    return sorted(found, key=lambda case: case.starts_at)


async def case_of_session(
    tx: AsyncSession, project_id: UUID, trigger: Trigger, session_id: UUID | None, starts_at: datetime
) -> Case:
    """One visit as a case."""
    together = await visitors_together(tx, project_id, [trigger.visitor_id])
    return Case(trigger, starts_at, together[trigger.visitor_id], session_id)


async def _insights(
    tx: AsyncSession, project_id: UUID, rule: InsightTrigger, since: datetime, until: datetime, most: int
) -> list[Case]:
    query = (
        select(Insight, Session.closed_at)
        .join(Session, (Session.project_id == Insight.project_id) & (Session.id == Insight.session_id))
        .where(
            Insight.project_id == project_id,
            Insight.superseded_at.is_(None),
            Session.closed_at >= since,
            Session.closed_at < until,
            Insight.confidence >= rule.min_confidence,
        )
        .order_by(Session.closed_at.desc())
        .limit(most)
    )
    if rule.kind is not None:
        query = query.where(Insight.kind == rule.kind)
    if rule.reasons:
        query = query.where(Insight.reason.in_(rule.reasons))
    rows = (await tx.execute(query)).all()
    timelines = await read_timelines(tx, project_id, [insight.session_id for insight, _ in rows])
    together = await visitors_together(tx, project_id, {timeline.visitor_id for timeline in timelines.values()})
    return [
        Case(
            insight_trigger(
                timeline,
                insight_id=insight.id,
                kind=insight.kind,
                reason=insight.reason,
                confidence=insight.confidence,
                narrative=insight.narrative,
            ),
            closed_at,
            together[timeline.visitor_id],
            insight.session_id,
        )
        for insight, closed_at in rows
        if closed_at is not None and (timeline := timelines.get(insight.session_id)) is not None and timeline.events
    ]


async def _events(
    tx: AsyncSession, project_id: UUID, rule: EventTrigger, since: datetime, until: datetime, most: int
) -> list[Case]:
    rows = (
        await tx.execute(
            select(Event)
            .where(
                Event.project_id == project_id,
                Event.type == rule.event,
                Event.session_id >= first_uuid_of_day((since - LONGEST_VISIT).date()),
                Event.received_at >= since,
                Event.received_at < until,
            )
            .order_by(Event.received_at.desc())
            .limit(most)
        )
    ).scalars()
    events = list(rows)
    together = await visitors_together(tx, project_id, {event.visitor_id for event in events})
    cases = []
    for event in events:
        facts = {
            "id": str(event.id),
            "type": event.type,
            "props": event.props,
            "url": event.url,
            "path": urlsplit(event.url or "").path or None,
            "session_id": str(event.session_id),
        }
        key = f"event:{event.id}"
        trigger = Trigger("event", key, key, event.visitor_id, event.occurred_at, {"event": facts})
        told = await VisitScene().told(tx, project_id, trigger)
        cases.append(Case(told, event.received_at, together[event.visitor_id], event.session_id))
    return cases


def by_person(cases: Iterable[Case]) -> list[Sequence[Case]]:
    """The cases of each person together, in the order of the first."""
    found: dict[Collection[UUID], list[Case]] = defaultdict(list)
    for case in cases:
        found[case.person].append(case)
    return list(found.values())
