"""The final sessions, insights and visitor are the same in whatever order their events arrived."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from adapters.postgres.engine import Database
from flows.triggers import UNFINISHED
from insights.classification.classify import Classified, Classifier
from insights.events.entry import Entry
from insights.events.wire import WireEvent
from insights.models import Insight, Project, Session, Visitor
from insights.profiles.rebuild import rebuild
from insights.timeline.timeline import Timeline
from insights.vocabulary.ids import uuid7
from tests.classification.shop import FAILING, GRACE, QUIET, Shop
from tests.classification.visits import add, does, leaves, order, page, product
from tests.late.arrivals import PAUSE, UNSHRUNK, Batch, Step, arrivals, stories, told

SESSION = (
    *("visitor_id", "started_at", "last_event_at", "ended_at", "close_at", "close_reason", "event_count"),
    *("landing_path", "exit_path", "shown", "stage", "purchased", "cart_value_minor", "currency", "source", "client"),
)
INSIGHT = (
    *("kind", "reason", "confidence", "narrative", "evidence", "suggested_actions", "classifier", "fallback"),
    *("timeline_hash", "outcome_hash", "visitor_id"),
)
VISITOR = ("first_seen_at", "user_id", "email", "consent", "identified_at", "consented_at")


class Counting(Classifier):
    """The evidence classifier, which counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__(None, threshold=0.5, deadline=timedelta(seconds=5))
        self.asked = 0

    async def classify(self, timeline: Timeline, *, fresh: bool = False) -> Classified:
        self.asked += 1
        return await super().classify(timeline, fresh=fresh)


@pytest.fixture
async def shops(database: Database) -> AsyncIterator[tuple[Shop, Shop]]:
    """Two projects in which the same may happen."""
    made = []
    for _ in range(2):
        project = uuid4()
        async with database.transaction(None) as tx:
            tx.add(Project(id=project, name=f"shop-{project}", allowed_origins=[]))
        made.append(Shop(database, project))
    yield made[0], made[1]
    for shop in made:
        await shop.stop()


@pytest.fixture
async def shop(shops: tuple[Shop, Shop]) -> Shop:
    return shops[0]


async def receive(shop: Shop, batch: Batch) -> None:
    entry = Entry(
        shop.project_id,
        batch.visitor,
        batch.session,
        batch.tab,
        None,
        int(shop.now.timestamp() * 1000),
        copy.deepcopy(batch.events),
    )
    await shop.record(entry)


async def outcome(shop: Shop, visitor: UUID) -> dict[str, Any]:
    """Everything that is said of a visitor once nothing is due any more."""
    shop.later()
    while await shop.close_all():
        shop.later()
    async with shop.database.transaction(shop.project_id) as tx:
        sessions = (await tx.scalars(select(Session).where(Session.visitor_id == visitor).order_by(Session.id))).all()
        insights = (
            await tx.scalars(
                select(Insight)
                .where(Insight.visitor_id == visitor, Insight.superseded_at.is_(None))
                .order_by(Insight.session_id)
            )
        ).all()
        assert all(session.closed_at is not None for session in sessions)
        said = {insight.session_id: (insight.kind, insight.reason) for insight in insights}
        assert {row.id: (row.kind, row.reason) for row in sessions} == {row.id: said[row.id] for row in sessions}
        return {
            **{f"session {n} {name}": getattr(row, name) for n, row in enumerate(sessions) for name in SESSION},
            **{f"insight {n} {name}": getattr(row, name) for n, row in enumerate(insights) for name in INSIGHT},
            **{name: getattr(await tx.get_one(Visitor, (shop.project_id, visitor)), name) for name in VISITOR},
            **msgspec.structs.asdict(await rebuild(tx, shop.project_id, visitor)),
        }


@settings(max_examples=15, deadline=None, phases=UNSHRUNK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stories(), st.data())
async def test_any_order_copies_and_closings_between_leave_the_same(
    shops: tuple[Shop, Shop], story: list[list[Step]], data: st.DataObject
) -> None:
    in_order, as_it_came = shops
    batches = told(story, int((in_order.now - timedelta(days=3)).timestamp() * 1000))
    as_it_came.now = in_order.now
    for batch in batches:
        await receive(in_order, batch)
    expected = await outcome(in_order, batches[0].visitor)
    for number in data.draw(arrivals(len(batches))):
        if number == PAUSE:
            as_it_came.later()
            await as_it_came.close_all()
        else:
            as_it_came.later(timedelta(seconds=1))
            await receive(as_it_came, batches[number])
    came_to = await outcome(as_it_came, batches[0].visitor)
    assert {name: (came_to.get(name), expected[name]) for name in expected if came_to.get(name) != expected[name]} == {}
    in_order.now = as_it_came.now = max(in_order.now, as_it_came.now)


@settings(max_examples=15, deadline=None, phases=UNSHRUNK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stories(visits=3), st.data())
async def test_so_do_the_visits_of_a_person_with_two_devices(
    shops: tuple[Shop, Shop], story: list[list[Step]], data: st.DataObject
) -> None:
    in_order, as_it_came = shops
    # Who they are is said in most visits.
    for visit in {steps[0].visit for steps in story}:
        first = next(steps for steps in story if steps[0].visit == visit)
        if data.draw(st.integers(0, 3)):
            first.append(Step(visit, first[0].tab, 1, "identified", {"email": ""}))
    batches = told(story, int((in_order.now - timedelta(days=4)).timestamp() * 1000), devices=2)
    as_it_came.now = in_order.now
    visitors = {batch.visitor for batch in batches}
    for batch, following in zip(batches, [*batches[1:], batches[-1]], strict=True):
        await receive(in_order, batch)
        if following.session != batch.session:
            in_order.later()
            await in_order.close_all()
    expected = [await outcome(in_order, visitor) for visitor in visitors]
    for number in data.draw(arrivals(len(batches))):
        if number == PAUSE:
            as_it_came.later()
            await as_it_came.close_all()
        else:
            as_it_came.later(timedelta(seconds=1))
            await receive(as_it_came, batches[number])
    for visitor, said in zip(visitors, expected, strict=True):
        came_to = await outcome(as_it_came, visitor)
        assert {name: (came_to.get(name), said[name]) for name in said if came_to.get(name) != said[name]} == {}
    in_order.now = as_it_came.now = max(in_order.now, as_it_came.now)


async def test_what_changes_no_outcome_leaves_the_session_closed_and_asks_nobody(shop: Shop) -> None:
    session = await shop.visit(*FAILING)
    shop.later()
    await shop.close_all()
    before, said = await shop.session(session), await shop.insight(session)
    now, shop.now = shop.now, before.started_at + timedelta(seconds=1)
    await shop.visit(does("scrolled", 0, depth=0.4), session=session, visitor=before.visitor_id, received=now)
    shop.now = now
    waiting = await shop.session(session)
    assert (waiting.closed_at, waiting.close_at) == (before.closed_at, shop.now + GRACE)
    shop.later(GRACE)
    classifier = Counting()
    assert await shop.close_all(shop.closer(classifier)) == 1
    after = await shop.session(session)
    assert (after.closed_at, after.close_at, after.event_count) == (before.closed_at, None, len(FAILING) + 1)
    assert classifier.asked == 0
    (insight,) = await shop.insights(session)
    assert insight.id == said.id
    assert insight.timeline_hash != said.timeline_hash


async def test_what_changes_the_evidence_is_classified_again(shop: Shop) -> None:
    session = await shop.visit(*FAILING)
    shop.later()
    await shop.close_all()
    before = await shop.session(session)
    await shop.visit(FAILING[1], session=session, visitor=before.visitor_id)
    shop.later(GRACE)
    classifier = Counting()
    await shop.close_all(shop.closer(classifier))
    assert classifier.asked == 1
    assert len(await shop.insights(session)) == 2
    assert (await shop.session(session)).closed_at == shop.now


async def test_an_order_that_arrives_late_opens_the_session_at_once(shop: Shop) -> None:
    session = await shop.visit(*FAILING)
    shop.later()
    await shop.close_all()
    visitor = (await shop.session(session)).visitor_id
    for _ in range(2):
        await shop.visit(order(1450, 0), session=session, visitor=visitor)
        opened = await shop.session(session)
        assert (opened.closed_at, opened.purchased) == (None, True)
    shop.later(GRACE)
    await shop.close_all()
    assert (await shop.insight(session)).kind == "converted"
    # Another order changes nothing more: they had bought.
    await shop.visit(order(1450, 0), session=session, visitor=visitor)
    assert (await shop.session(session)).closed_at == shop.now


async def test_a_visit_that_arrives_after_a_later_one_was_closed_counts_as_an_earlier_visit(shop: Shop) -> None:
    visitor = uuid4()
    buys = (page("/product/mug"), *product("mug", "cups", 1450), add("mug", 1450, 400), order(1450, 900), leaves())
    first_at = shop.now
    shop.later(timedelta(days=2))
    second = await shop.visit(*buys, visitor=visitor)
    shop.later()
    await shop.close_all()
    assert (await shop.insight(second)).reason != "returning_intent"
    now, shop.now = shop.now, first_at
    first = await shop.visit(page("/"), page("/product/mug"), leaves(), visitor=visitor, received=now)
    shop.now = now + QUIET
    assert await shop.close_all() == 2
    assert first < second
    assert (await shop.insight(second)).reason == "returning_intent"
    shop.later()
    assert await shop.close_all() == 0


async def test_the_first_event_says_whose_session_it_is_and_since_when_they_are_known(shop: Shop) -> None:
    early, late = uuid4(), uuid4()
    session = await shop.visit(page("/"), visitor=late)
    known_since = shop.now - timedelta(minutes=10)
    await shop.visit(page("/", 600), page("/", 540), session=session, visitor=early)
    assert (await shop.session(session)).visitor_id == early
    async with shop.database.transaction(shop.project_id) as tx:
        assert (await tx.get_one(Visitor, (shop.project_id, early))).first_seen_at < known_since + timedelta(minutes=2)
        before = (await tx.get_one(Visitor, (shop.project_id, late))).first_seen_at
    shop.now -= timedelta(days=1)
    await shop.visit(page("/"), visitor=late, received=shop.now + timedelta(days=1))
    async with shop.database.transaction(shop.project_id) as tx:
        assert (await tx.get_one(Visitor, (shop.project_id, late))).first_seen_at < before


async def test_visits_that_are_closed_together_are_looked_at_once(shop: Shop) -> None:
    visitor = uuid4()
    for _ in range(3):
        await shop.visit(page("/"), leaves(), visitor=visitor)
        shop.later(timedelta(minutes=5))
    assert await shop.close_all() == 3


async def test_orders_that_arrive_while_their_sessions_are_closed_leave_no_run_behind(shop: Shop) -> None:
    await shop.publish_flows()
    visits = {}
    for _ in range(25):
        visitor = uuid4()
        visits[await shop.visit(page("/"), add("mug", 1450), *FAILING[1:-1], page("/", 60), visitor=visitor)] = visitor
    shop.later()

    async def buys(session: UUID, visitor: UUID, after: float) -> None:
        await asyncio.sleep(after)
        ms = int((await shop.session(session)).started_at.timestamp() * 1000) + 13_000
        props = {"order_id": f"o-{visitor}", "value_minor": 1450, "currency": "EUR"}
        await receive(
            shop, Batch(visitor, session, "tab", (WireEvent(id=uuid7(ms), t=ms, type="purchased", props=props),))
        )

    closers = [shop.close_all(shop.closer(batch=5)) for _ in range(3)]
    orders = [buys(session, visitor, number / 100) for number, (session, visitor) in enumerate(visits.items())]
    await asyncio.gather(*closers, *orders)
    shop.later()
    while await shop.close_all():
        shop.later()
    assert {(await shop.insight(session)).kind for session in visits} == {"converted"}
    assert not [run for run in await shop.runs() if run.exit_on_conversion and run.status in UNFINISHED]
