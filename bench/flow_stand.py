"""An engine on a database of its own, for the benches of flows: flows, many runs, and a far side that answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import (
    UNLIMITED,
    Accepted,
    Callback,
    Idempotency,
    NotFound,
    ProviderEvent,
    Result,
    SendIntent,
    Unsupported,
    no_callbacks,
)
from adapters.postgres.engine import Database, DatabaseUrls, conninfo
from flows.definition import FlowDefinition
from flows.ports import Composed, SendRequest
from flows.runner import Runner
from flows.store import publish
from insights.conditions.fields import FIELDS
from insights.recovery.publish import ACTIONS
from insights.segments.knowledge import VisitorKnowledge


class FarSide:
    """Composer, facts and provider in one: everybody agreed, every message is the same and arrives at once.

    ``composed_at``: when a visitor's message was last made, inside the gate (seconds of ``time.perf_counter``). A step
    whose params say ``raises`` fails before the gate, one that says ``hangs`` is answered when ``go_on`` is set.
    """

    name = "email"
    id = None
    idempotency: Idempotency = "natural"
    key_ttl: timedelta | None = None
    rate = UNLIMITED

    def __init__(self) -> None:
        self.composed_at: dict[UUID, float] = {}
        self.go_on = asyncio.Event()
        self.sent = 0

    def only_reads(self, action: str) -> bool:
        return False

    async def compose(self, tx: AsyncSession, request: SendRequest) -> Composed:
        if "raises" in request.params:
            raise ArithmeticError
        self.composed_at[request.visitor_id] = time.perf_counter()
        content = {"hangs": "hangs" in request.params}
        return Composed("email", f"{request.visitor_id.hex}@example.org", content, needs_consent=True)

    async def facts(self, tx: AsyncSession, project_id: UUID, visitor_id: UUID) -> Mapping[str, Any]:
        return {"consent": {"email": True}}

    async def send(self, intent: SendIntent) -> Result:
        if intent.content["hangs"]:
            await self.go_on.wait()
        self.sent += 1
        return Accepted("id")

    async def lookup(self, key: str) -> Accepted | NotFound | Unsupported:
        return Unsupported()

    async def parse_callback(self, call: Callback) -> list[ProviderEvent]:
        return await no_callbacks(call)


class Bench:
    """An engine on a database of its own, with one project and two flows: a chain of waits, and one long wait."""

    def __init__(self, urls: DatabaseUrls, project_id: UUID, database: Database) -> None:
        self.urls = urls
        self.project_id = project_id
        self.database = database
        self.flows: dict[str, tuple[UUID, UUID]] = {}
        self.waits: dict[tuple[str, str], bool] = {}
        self.waiting = 0

    async def publish(self, name: str, steps: dict[str, Any], **settings: Any) -> None:
        """Publishes a flow that starts on insights of the reason that is its name, at its step s0."""
        trigger = {"on": "insight", "reasons": [name]}
        body = {"name": name, "trigger": trigger, "start": "s0", "steps": steps, "settings": settings}
        self.waits |= {(name, step): one["do"] == "wait" for step, one in steps.items()}
        async with self.database.transaction(self.project_id) as tx:
            flow = FlowDefinition.model_validate(body)
            version = await publish(tx, self.project_id, flow, datetime.now(UTC), ACTIONS, FIELDS)
            self.flows[name] = version.flow_id, version.id

    def runner(self, far_side: FarSide | None = None, *, database: Database | None = None, batch: int = 200) -> Runner:
        """The engine as a worker runs it; without ``far_side`` it has no channels."""
        far = far_side or FarSide()
        return Runner(
            database or self.database,
            channels={far.name: far} if far_side else {},
            composer=far,
            facts=far,
            knowledge=VisitorKnowledge(),
            clock=lambda: datetime.now(UTC),
            batch=batch,
        )

    def fill(
        self,
        name: str,
        runs: int,
        due: str,
        *,
        step: str = "s0",
        key: str = "uuidv7()::text",
        visitor: str = "gen_random_uuid()",
    ) -> None:
        """Puts runs into the table as if they had come to rest at a step. ``due``, ``key`` and ``visitor`` are SQL
        over ``n``; the keys are those of sessions and events, ordered in time."""
        flow, version = self.flows[name]
        waits = "true" if self.waits[name, step] else "false"
        with psycopg.connect(conninfo(self.urls.owner), autocommit=True) as owner:
            owner.execute("SELECT set_config('whyleft.project_id', %s, false)", [str(self.project_id)])
            owner.execute(
                f"""
                INSERT INTO flow_run (project_id, id, flow_id, version_id, visitor_id, trigger_key, trigger_group,
                    triggered_at, facts, exit_on_conversion, status, step, waiting, signalled, due_at, attempts,
                    started_at)
                SELECT %s, gen_random_uuid(), %s, %s, visitor, key, key, now(), '{{"insight": {{}}}}', true,
                    'waiting', %s, {waits}, false, due, 0, now()
                FROM (SELECT {key} AS key, {due} AS due, {visitor} AS visitor FROM generate_series(1, %s) AS n) AS made
                """,  # noqa: S608  (all are written in these benches)
                [self.project_id, flow, version, step, runs],
            )
            owner.execute("VACUUM ANALYZE flow_run")

    async def unfinished(self, name: str) -> int:
        """How many runs of a flow are not at their end."""
        async with self.database.transaction(self.project_id) as tx:
            given = {"flow": self.flows[name][0]}
            query = text("SELECT count(*) FROM flow_run WHERE flow_id = :flow AND due_at IS NOT NULL")
            return int(await tx.scalar(query, given) or 0)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent of ``values`` do not exceed; not a number where there are none."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 2) if ordered else float("nan")
