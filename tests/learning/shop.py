"""A made shop whose visitors behave by a rule that the tests know, stored as the product stores them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy import func, select

from adapters.postgres.engine import Database
from flows.models import Conversion
from insights.decisions.situation import NAMES, VERSION
from insights.learning.learner import Learner
from insights.learning.snapshots import KEPT_BUCKETS
from insights.models import Decision, Event, PolicyBucket, Session
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.ids import uuid7
from insights.vocabulary.withheld import HOLDOUT

BEGAN = datetime.now(UTC) - timedelta(hours=30)


@dataclass
class Visited:
    """One visit with one decision in it."""

    visitor: UUID
    session: UUID
    decision: UUID
    at: datetime
    order: str | None = None


@dataclass
class MadeShop:
    """Stores visits; ``visits`` as they were."""

    database: Database
    project_id: UUID
    visits: list[Visited] = field(default_factory=list)

    async def visit(
        self,
        action: LiveAction = LiveAction.CART_SAVE,
        *,
        probabilities: dict[str, float] | None = None,
        situation: dict[str, float] | None = None,
        buys: int | None = None,
        bought_after: timedelta = timedelta(minutes=2),
        shown: bool = True,
        at: datetime | None = None,
        policy: str = "rules-1",
        closed: bool = True,
        visitor: UUID | None = None,
        held_back: LiveAction | None = None,
    ) -> Visited:
        """A visit with a decision for ``action``; ``buys``: the value of the order that follows, in minor units."""
        at = at or BEGAN + timedelta(seconds=len(self.visits))
        at_ms = int(at.timestamp() * 1000)
        made = Visited(visitor or uuid4(), uuid7(at_ms), uuid7(at_ms), at)
        page = uuid7(at_ms)
        events = [self._event(made, page, "page_viewed", at, {"path": "/"})]
        if shown and action is not LiveAction.DO_NOTHING:
            told = {"decision_id": str(made.decision), "action": action.value}
            events.append(self._event(made, uuid7(at_ms), "action_shown", at + timedelta(seconds=1), told))
        row = dict.fromkeys(NAMES, 0.0) | {"always": 1.0} | (situation or {})
        async with self.database.transaction(self.project_id) as tx:
            if buys is not None:
                made.order = f"order-{made.decision}"
                bought = at + bought_after
                props = {"order_id": made.order, "value_minor": buys, "currency": "EUR"}
                events.append(self._event(made, uuid7(at_ms), "purchased", bought, props))
                tx.add(
                    Conversion(
                        project_id=self.project_id,
                        key=made.order,
                        visitor_id=made.visitor,
                        occurred_at=bought,
                        value_minor=buys,
                        currency="EUR",
                    )
                )
            tx.add(
                Session(
                    project_id=self.project_id,
                    id=made.session,
                    visitor_id=made.visitor,
                    started_at=at,
                    last_event_at=at,
                    last_received_at=at,
                    closed_at=datetime.now(UTC) if closed else None,
                    purchased=buys is not None,
                )
            )
            tx.add_all(events)
            tx.add(
                Decision(
                    project_id=self.project_id,
                    id=made.decision,
                    visitor_id=made.visitor,
                    session_id=made.session,
                    event_id=page,
                    decided_at=at,
                    policy=policy,
                    stage="cart_adder",
                    intent={},
                    probabilities=probabilities or {action.value: 1.0},
                    excluded={},
                    action=action.value,
                    why="",
                    latency_us=1,
                    situation=[row[name] for name in NAMES],
                    situation_version=VERSION,
                    rules=LiveAction.CART_SAVE.value,
                    say=0.0,
                    held_back=held_back and held_back.value,
                )
            )
        self.visits.append(made)
        return made

    async def held_out(self, **what: object) -> Visited:
        """A visit of somebody who gets nothing."""
        return await self.visit(LiveAction.DO_NOTHING, policy=HOLDOUT, **what)  # type: ignore[arg-type]

    async def refund(self, order: str, value: int | None = None, refund: str | None = None) -> None:
        """Money goes back, told of by a server in a session of its own."""
        now = datetime.now(UTC)
        made = Visited(uuid4(), uuid7(), uuid7(), now)
        props = {"order_id": order}
        if value is not None:
            props |= {"value_minor": value, "currency": "EUR"}  # type: ignore[dict-item]
        if refund is not None:
            props["refund_id"] = refund
        async with self.database.transaction(self.project_id) as tx:
            tx.add(self._event(made, uuid7(), "refunded", now, props))

    async def crowd(
        self, count: int, worth: dict[LiveAction, float], *, seed: int = 1, at: datetime | None = None
    ) -> None:
        """``count`` visits with actions drawn evenly; each action brings an order with its probability."""
        rng = np.random.default_rng(seed)
        actions = list(worth)
        chances = {action.value: 1 / len(actions) for action in actions}
        for n in range(count):
            action = actions[int(rng.integers(len(actions)))]
            await self.visit(
                action,
                probabilities=chances,
                situation={"in_cart": float(rng.random() < 0.5)},
                buys=2_000 if rng.random() < worth[action] else None,
                at=None if at is None else at + timedelta(seconds=n),
            )

    async def learns_long(self, learner: Learner) -> None:
        """What there is is learned, and then so much that it is forgotten: the buckets between are empty."""
        await learner.learn(self.project_id)
        async with self.database.transaction(self.project_id) as tx:
            last = await tx.scalar(
                select(func.max(PolicyBucket.number)).where(PolicyBucket.project_id == self.project_id)
            )
            number = (last or 0) + KEPT_BUCKETS
            tx.add(PolicyBucket(project_id=self.project_id, number=number, situation_version=VERSION, outcomes=0))

    def _event(self, made: Visited, event_id: UUID, kind: str, at: datetime, props: dict[str, object]) -> Event:
        return Event(
            project_id=self.project_id,
            session_id=made.session,
            id=event_id,
            visitor_id=made.visitor,
            tab="t",
            seq=0,
            occurred_at=at,
            received_at=at if kind != "refunded" else datetime.now(UTC),
            type=kind,
            url=None,
            props=props,
        )
