"""A project with a flow, a provider that remembers, a composer, and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import (
    UNLIMITED,
    Accepted,
    Idempotency,
    NotFound,
    Result,
    SendIntent,
    Unsupported,
)
from adapters.postgres.engine import Database
from flows import dead_letters
from flows.definition import FlowDefinition
from flows.ports import Composed, SendRequest, Skip, Trigger
from flows.runner import Runner
from flows.starting import start_runs
from flows.store import RunView, list_runs, publish
from flows.triggers import cancel_group, record_conversion, signal
from insights.conditions.fields import FIELDS
from insights.segments.knowledge import VisitorKnowledge

ACTIONS = {"send_email", "create_ticket"}


class Clock:
    """A clock the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Provider:
    """A channel whose provider remembers what reached it. ``script`` decides the answers, in order."""

    name = "email"
    id = None
    rate = UNLIMITED
    key_ttl = timedelta(hours=24)

    def __init__(self, idempotency: Idempotency = "none", script: list[Result | BaseException] | None = None) -> None:
        self.idempotency: Idempotency = idempotency
        self.script = script or []
        self.reached: list[str] = []
        self.on_send: Callable[[], Any] | None = None

    async def send(self, intent: SendIntent) -> Result:
        if self.idempotency != "key" or intent.key not in self.reached:
            self.reached.append(intent.key)
        if self.on_send is not None:
            await self.on_send()
        answer = self.script.pop(0) if self.script else Accepted("id")
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def lookup(self, key: str) -> Accepted | NotFound | Unsupported:
        return Accepted() if key in self.reached else NotFound()


class Composer:
    """Composes whatever the step says; ``poison`` makes it fail for one visitor, ``on_compose`` looks on."""

    poison: UUID | None = None
    dedupe_key: str | None = None
    on_compose: Callable[[AsyncSession, SendRequest], Awaitable[None]] | None = None

    def only_reads(self, action: str) -> bool:
        return False

    async def compose(self, tx: AsyncSession, request: SendRequest) -> Composed | Skip:
        if request.visitor_id == self.poison:
            raise ZeroDivisionError
        if self.on_compose is not None:
            await self.on_compose(tx, request)
        return Composed(
            request.params.get("channel", "email"),
            "ada@example.org",
            {"subject": "hello"},
            dedupe_key=self.dedupe_key or request.params.get("key"),
            needs_consent=bool(request.params.get("consent")),
        )


class Consents:
    """Everybody agreed, or nobody; where they are; which devices are one person's."""

    def __init__(self, agreed: bool = True) -> None:
        self.agreed = agreed
        self.zone: str | None = None
        self.person: list[UUID] = []

    async def facts(self, tx: AsyncSession, project_id: UUID, visitor_id: UUID) -> Mapping[str, Any]:
        devices = self.person if visitor_id in self.person else [visitor_id]
        return {
            "consent": {"email": self.agreed},
            "visitor": {"time_zone": self.zone},
            "person": {"id": devices[0], "devices": devices},
        }


def plan(steps: dict[str, Any] | None = None, name: str = "recover", **settings: Any) -> FlowDefinition:
    steps = steps or {"a": {"do": "send", "action": "send_email"}}
    return FlowDefinition.model_validate(
        {"name": name, "trigger": {"on": "insight"}, "start": "a", "steps": steps, "settings": settings}
    )


WAIT_THEN_SEND = {
    "a": {"do": "wait", "for": "PT1H", "next": "b"},
    "b": {"do": "send", "action": "send_email"},
}


class World:
    """One project with one published flow, a provider, a clock."""

    def __init__(self, database: Database, project_id: UUID, provider: Provider | None = None) -> None:
        self.database = database
        self.project_id = project_id
        self.clock = Clock()
        self.provider = provider or Provider()
        self.composer = Composer()
        self.consents = Consents()

    def runner(self, **options: Any) -> Runner:
        return Runner(
            self.database,
            channels={"email": self.provider},
            composer=self.composer,
            facts=self.consents,
            knowledge=VisitorKnowledge(),
            clock=self.clock,
            **options,
        )

    async def publish(self, definition: FlowDefinition) -> None:
        async with self.database.transaction(self.project_id) as tx:
            await publish(tx, self.project_id, definition, self.clock(), ACTIONS, FIELDS)

    async def start(
        self, visitor_id: UUID | None = None, *, age: timedelta = timedelta(0), key: str = "", group: str = ""
    ) -> UUID:
        visitor_id = visitor_id or uuid4()
        key = key or f"insight:{uuid4()}"
        trigger = Trigger(
            "insight", key, group or f"group:{key}", visitor_id, self.clock() - age, {"insight": {}, "e": {"f": "x"}}
        )
        async with self.database.transaction(self.project_id) as tx:
            await start_runs(tx, self.project_id, [trigger], self.clock(), VisitorKnowledge())
        return visitor_id

    async def cancel(self, group: str) -> int:
        async with self.database.transaction(self.project_id) as tx:
            return await cancel_group(tx, self.project_id, group, "superseded", self.clock())

    async def convert(self, visitor_id: UUID, *, at: datetime | None = None, group: str | None = None) -> int:
        async with self.database.transaction(self.project_id) as tx:
            return await record_conversion(
                tx,
                self.project_id,
                visitor_id,
                key=f"order-{visitor_id}",
                occurred_at=at or self.clock(),
                value_minor=100,
                currency="EUR",
                now=self.clock(),
                group=group,
            )

    async def signal(self, name: str, key: str) -> int:
        async with self.database.transaction(self.project_id) as tx:
            return await signal(tx, self.project_id, name, key, self.clock())

    async def runs(self, visitor_id: UUID) -> list[RunView]:
        async with self.database.transaction(self.project_id) as tx:
            return await list_runs(tx, self.project_id, visitor_id=visitor_id)

    async def later(self, **time: float) -> None:
        """Moves the clock by so many hours, minutes, … and works off what is due then."""
        self.clock.now += timedelta(**time)
        await self.drain()

    async def only_run(self, visitor_id: UUID) -> RunView:
        (run,) = await self.runs(visitor_id)
        return run

    async def replay(self, run_id: UUID) -> int:
        """Puts a dead run back to work; how many were."""
        async with self.database.transaction(self.project_id) as tx:
            return await dead_letters.replay(tx, self.project_id, self.clock(), run_id=run_id)

    async def drain(self) -> None:
        runner = self.runner()
        while await runner.run_due():
            pass


def words(run: RunView) -> list[str]:
    return [line.what for line in run.history]
