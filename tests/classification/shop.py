"""A shop to close sessions in: visits are recorded by the real write path, time goes on when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, update

from adapters.postgres.engine import Database
from flows.models import Flow, FlowRun, FlowVersion
from flows.store import publish
from insights.classification.classify import Classified, Classifier
from insights.classification.closing import SessionCloser
from insights.conditions.fields import FIELDS
from insights.events.entry import Entry
from insights.events.flush import SessionTimes
from insights.events.record import Recorder
from insights.events.wire import WireEvent
from insights.models import Insight, Session
from insights.recovery.starter import starter_flows
from insights.timeline.timeline import Timeline
from insights.vocabulary.actions import RecoveryAction
from insights.vocabulary.ids import uuid7
from tests.classification.visits import Step, failed, leaves, page

FAILING: tuple[Step, ...] = (page("/"), *(failed("/api/cart") for _ in range(3)), leaves())
TIMES = SessionTimes(quiet=timedelta(hours=1), grace=timedelta(minutes=1))
QUIET, GRACE = TIMES.quiet, TIMES.grace


def evidence() -> Classifier:
    return Classifier(None, threshold=0.5, deadline=timedelta(seconds=5))


class Interrupted(Classifier):
    """The evidence classifier, during whose first thought something else happens."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(None, threshold=0.5, deadline=timedelta(seconds=5))
        self._meanwhile: Callable[[], Awaitable[object]] | None = meanwhile
        self.asked = 0
        self.slowest_answer = timedelta(0)

    @property
    def slowest(self) -> timedelta:
        return self.slowest_answer

    async def classify(self, timeline: Timeline, *, fresh: bool = False) -> Classified:
        self.asked += 1
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return await super().classify(timeline)


class Shop:
    """One project. ``now`` is the clock of everything in it."""

    def __init__(self, database: Database, project_id: UUID) -> None:
        self.database = database
        self.project_id = project_id
        # The dispatcher claims due sessions of every project: each shop lives in days of its own.
        self.now = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
        self._recorder = Recorder(database, times=TIMES, max_queued=10_000)
        self._recorder.start()

    async def stop(self) -> None:
        await self._recorder.stop()
        # Whatever a test left open must not be due in the next one.
        async with self.database.transaction(self.project_id) as tx:
            await tx.execute(update(Session).values(close_at=None))

    async def record(self, entry: Entry) -> int:
        return await self._recorder.record(entry)

    def closer(self, classifier: Classifier | None = None, **options: Any) -> SessionCloser:
        return SessionCloser(self.database, classifier or evidence(), lambda: self.now, **options)

    async def visit(
        self, *steps: Step, session: UUID | None = None, visitor: UUID | None = None, received: datetime | None = None
    ) -> UUID:
        """Records a visit that ends now; returns its session."""
        at = self.now - timedelta(seconds=sum(step[0] for step in steps))
        session = session or uuid7(int(at.timestamp() * 1000))
        events, url = [], "https://shop.example/"
        for number, (after, kind, props) in enumerate(steps):
            at += timedelta(seconds=after)
            ms = int(at.timestamp() * 1000)
            url = props.get("url", url) if kind == "page_viewed" else url
            events.append(WireEvent(id=uuid7(ms), t=ms, type=kind, seq=number, props=dict(props), url=url))
        received_ms = int((received or self.now).timestamp() * 1000)
        await self._recorder.record(
            Entry(self.project_id, visitor or uuid4(), session, "tab", None, received_ms, events)
        )
        return session

    def later(self, by: timedelta = QUIET + TIMES.slack + GRACE) -> None:
        self.now += by

    async def session(self, session_id: UUID) -> Session:
        async with self.database.transaction(self.project_id) as tx:
            return await tx.get_one(Session, (self.project_id, session_id))

    async def insights(self, session_id: UUID) -> list[Insight]:
        """All insights of a session, the current one last."""
        async with self.database.transaction(self.project_id) as tx:
            found = await tx.scalars(
                select(Insight)
                .where(Insight.session_id == session_id)
                .order_by(Insight.superseded_at.asc().nulls_last())
            )
            return list(found)

    async def insight(self, session_id: UUID) -> Insight:
        """The one current insight."""
        current = [insight for insight in await self.insights(session_id) if insight.superseded_at is None]
        assert len(current) == 1
        return current[0]

    async def runs(self) -> list[FlowRun]:
        async with self.database.transaction(self.project_id) as tx:
            return list(await tx.scalars(select(FlowRun).order_by(FlowRun.started_at)))

    async def publish_flows(self) -> None:
        async with self.database.transaction(self.project_id) as tx:
            for flow in starter_flows():
                await publish(tx, self.project_id, flow, self.now, [action.value for action in RecoveryAction], FIELDS)

    async def publish_unreadable_flow(self, word: str = "broken") -> None:
        """A flow that no code of today can read: every trigger of this project fails on it."""
        flow, version = uuid4(), uuid4()
        async with self.database.transaction(self.project_id) as tx:
            tx.add(Flow(project_id=self.project_id, id=flow, name="old", version_id=version, created_at=self.now))
            tx.add(
                FlowVersion(
                    project_id=self.project_id,
                    id=version,
                    flow_id=flow,
                    number=1,
                    definition={word: word},
                    published_at=self.now,
                )
            )

    async def close_all(self, closer: SessionCloser | None = None) -> int:
        """Closes what is due, until nothing is."""
        closer, total = closer or self.closer(), 0
        while claimed := await closer.close_due():
            total += claimed
            await asyncio.sleep(0)
        return total
