"""Reads what a run's way depends on: its version, its visitor's zone, and what its branches ask about."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from flows.conditions import asked_by, explain
from flows.definition import Branch, FlowDefinition
from flows.delivery_facts import asks_for_deliveries, known_of_deliveries
from flows.engine import Judge, Traveller, asks_for_zone, knows_nothing
from flows.lookup import lookup
from flows.models import FlowRun, FlowVersion
from flows.ports import Surroundings
from flows.sent_steps import sent_steps
from flows.zones import zone

MOST_DEFINITIONS: Final = 1_000


class Guide:
    """Knows the ways of the runs of one worker."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._definitions: dict[tuple[UUID, UUID], FlowDefinition] = {}

    async def definition(self, tx: AsyncSession, run: FlowRun) -> FlowDefinition:
        """What the run's version says. A version never changes: it is read once."""
        key = (run.project_id, run.version_id)
        if key not in self._definitions:
            if len(self._definitions) >= MOST_DEFINITIONS:
                self._definitions.clear()
            version = await tx.get_one(FlowVersion, key)
            self._definitions[key] = FlowDefinition.model_validate(version.definition)
        return self._definitions[key]

    async def traveller(self, tx: AsyncSession, run: FlowRun, flow: FlowDefinition) -> Traveller:
        """Who goes this way, with their time zone where a step asks for it."""
        if not asks_for_zone(flow):
            return Traveller(run.visitor_id)
        known = await self._around.facts.facts(tx, run.project_id, run.visitor_id)
        return Traveller(run.visitor_id, zone(lookup(known, "visitor.time_zone")))

    async def judge(self, tx: AsyncSession, run: FlowRun, flow: FlowDefinition, now: datetime) -> Judge:
        """Judges the branches of a flow by what is known now."""
        asking = [step.when for step in flow.steps.values() if isinstance(step, Branch)]
        if not asking:
            return knows_nothing
        knowledge = self._around.knowledge
        known = await knowledge.known(tx, run.project_id, run.visitor_id, asking, run.facts, now)
        asked = asked_by(asking)
        if asks_for_deliveries(asked):
            known = replace(known, values={**known.values, **known_of_deliveries(asked, await sent_steps(tx, run))})
        return lambda condition: explain(condition, knowledge.fields, known)
