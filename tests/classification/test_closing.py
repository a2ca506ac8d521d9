"""Closing sessions on a real PostgreSQL: when, once, whole, and whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import delete, select, update

from insights.classification.classify import Classified, Classifier
from insights.errors import NotFound
from insights.models import Event, Project, Session
from insights.timeline.timeline import Timeline
from tests.classification.shop import FAILING, GRACE, QUIET, Interrupted, Shop
from tests.classification.visits import add, checkout, does, leaves, order, page, product

CART = (page("/"), *product("mug", "cups", 1450), add("mug", 1450))


async def test_a_session_that_ended_closes_after_the_grace(shop: Shop) -> None:
    session = await shop.visit(*FAILING)
    shop.later(GRACE - timedelta(seconds=1))
    assert await shop.close_all() == 0
    shop.later(timedelta(seconds=1))
    assert await shop.close_all() == 1
    closed = await shop.session(session)
    assert (closed.closed_at, closed.close_at, closed.close_reason) == (shop.now, None, "ended")


async def test_a_session_that_did_not_end_closes_when_it_was_quiet(shop: Shop) -> None:
    session = await shop.visit(*CART)
    shop.later(QUIET - timedelta(seconds=1))
    assert await shop.close_all() == 0
    shop.later(timedelta(seconds=1))
    assert await shop.close_all() == 1
    assert (await shop.session(session)).close_reason == "quiet"


async def test_an_explicit_close_does_not_wait(shop: Shop) -> None:
    session = await shop.visit(*CART)
    async with shop.database.transaction(shop.project_id) as tx:
        row = await tx.get_one(Session, (shop.project_id, session))
        row.close_at, row.close_reason = shop.now, "explicit"
    assert await shop.close_all() == 1
    assert (await shop.session(session)).close_reason == "explicit"


async def test_closing_writes_the_summary_and_the_insight(shop: Shop) -> None:
    session = await shop.visit(*CART, *checkout(1450, "contact"), leaves())
    shop.later()
    await shop.close_all()
    closed = await shop.session(session)
    assert (closed.landing_path, closed.exit_path, closed.stage) == ("/", "/checkout", "high_intent")
    assert (closed.purchased, closed.cart_value_minor, closed.currency) == (False, 1450, "EUR")
    insight = await shop.insight(session)
    assert (insight.kind, insight.classifier, insight.fallback) == ("abandoned", "evidence-2", None)


async def test_the_evidence_that_is_stored_exists(shop: Shop) -> None:
    session = await shop.visit(*FAILING)
    shop.later()
    await shop.close_all()
    insight = await shop.insight(session)
    async with shop.database.transaction(shop.project_id) as tx:
        stored = {str(i) for i in await tx.scalars(select(Event.id).where(Event.session_id == session))}
    assert insight.reason == "technical_error"
    assert insight.evidence and set(insight.evidence) <= stored


async def test_the_insight_and_the_runs_that_it_starts_come_together(shop: Shop) -> None:
    await shop.publish_flows()
    await shop.visit(*FAILING)
    shop.later()
    await shop.close_all()
    assert {run.status for run in await shop.runs()} == {"waiting"}
    assert {run.facts["insight"]["reason"] for run in await shop.runs()} == {"technical_error"}


async def test_a_trigger_that_fails_leaves_neither_insight_nor_closed_session(shop: Shop) -> None:
    await shop.publish_unreadable_flow()
    session = await shop.visit(*FAILING)
    shop.later()
    assert await shop.closer().close_due() == 1
    assert await shop.insights(session) == []
    assert (await shop.session(session)).closed_at is None
    assert await shop.runs() == []


async def test_one_broken_session_does_not_stop_the_others(shop: Shop) -> None:
    await shop.publish_unreadable_flow()
    other = Shop(shop.database, uuid4())
    async with shop.database.transaction(None) as tx:
        tx.add(Project(id=other.project_id, name=f"other-{other.project_id}", allowed_origins=[]))
    broken, fine = await shop.visit(*FAILING), await other.visit(*FAILING)
    shop.later()
    await shop.closer().close_due()
    await other.stop()
    assert (await shop.session(broken)).closed_at is None
    assert (await other.session(fine)).closed_at is not None


async def test_a_session_that_cannot_be_closed_does_not_keep_its_neighbours_open(shop: Shop) -> None:
    sessions = [await shop.visit(*FAILING) for _ in range(5)]
    broken = sessions[2]

    class Stumbles(Classifier):
        async def classify(self, timeline: Timeline, *, fresh: bool = False) -> Classified:
            if timeline.session_id == broken:
                raise ZeroDivisionError
            return await super().classify(timeline)

    shop.later()
    assert await shop.closer(Stumbles(None, threshold=0.5, deadline=timedelta(seconds=5))).close_due() == 5
    for session in sessions:
        row = await shop.session(session)
        assert (row.closed_at is None) == (session == broken)
        assert len(await shop.insights(session)) == (session != broken)
        assert (row.lease_until is None) == (session != broken)


async def test_a_worker_that_is_told_to_end_leaves_what_it_has_not_begun_to_others_at_once(shop: Shop) -> None:
    sessions = [await shop.visit(*FAILING) for _ in range(3)]
    shop.later()
    stop = asyncio.Event()

    async def told() -> None:
        stop.set()

    slow = Interrupted(told)
    slow.slowest_answer = timedelta(seconds=5)
    serving = asyncio.create_task(shop.closer(slow, parallel=1).serve(stop))
    async with asyncio.timeout(20):
        await serving
    rows = [await shop.session(session) for session in sessions]
    assert [row.closed_at is not None for row in rows].count(True) == 1
    assert all(row.lease_until is None for row in rows)


async def test_work_that_is_cut_short_is_left_to_others_at_once(shop: Shop) -> None:
    session = await shop.visit(*FAILING)
    shop.later()
    begun = asyncio.Event()

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    serving = asyncio.create_task(shop.closer(Interrupted(forever)).serve(asyncio.Event()))
    async with asyncio.timeout(20):
        await begun.wait()
        serving.cancel()
        await asyncio.wait([serving])
    assert serving.cancelled()
    assert (await shop.session(session)).lease_until is None
    assert await shop.close_all() == 1


async def test_a_session_that_was_erased_just_closes(shop: Shop) -> None:
    session = await shop.visit(*FAILING)
    async with shop.database.transaction(shop.project_id) as tx:
        await tx.execute(delete(Event).where(Event.session_id == session))
    shop.later()
    assert await shop.close_all() == 1
    assert (await shop.session(session)).closed_at == shop.now
    assert await shop.insights(session) == []


async def test_a_late_purchase_flips_the_insight_and_cancels_the_runs(shop: Shop) -> None:
    await shop.publish_flows()
    visitor = uuid4()
    session = await shop.visit(*FAILING, visitor=visitor)
    shop.later()
    await shop.close_all()
    await shop.visit(order(1450, 0), session=session, visitor=visitor)
    shop.later(GRACE)
    assert await shop.close_all() == 1
    first, second = await shop.insights(session)
    assert (first.kind, first.superseded_at) == ("abandoned", shop.now)
    assert (second.kind, second.superseded_at) == ("converted", None)
    assert {run.status for run in await shop.runs()} == {"cancelled"}


async def test_a_reason_that_changed_cancels_the_runs_of_the_old_one(shop: Shop) -> None:
    await shop.publish_flows()
    visitor = uuid4()
    session = await shop.visit(
        page("/"), *(does("rage_click", 40, selector="#a", count=3) for _ in range(3)), leaves(), visitor=visitor
    )
    shop.later()
    await shop.close_all()
    from_friction = {run.id for run in await shop.runs()}
    await shop.visit(*(step for _ in range(4) for step in FAILING[1:-1]), session=session, visitor=visitor)
    shop.later(GRACE)
    await shop.close_all()
    assert (await shop.insight(session)).reason == "technical_error"
    status = {run.id: run.status for run in await shop.runs()}
    assert from_friction and {status[run] for run in from_friction} == {"cancelled"}
    assert "waiting" in status.values()


async def test_closing_again_with_nothing_new_adds_nothing(shop: Shop) -> None:
    session = await shop.visit(*FAILING)
    shop.later()
    await shop.close_all()
    async with shop.database.transaction(shop.project_id) as tx:
        await tx.execute(update(Session).where(Session.id == session).values(close_at=shop.now))
    assert await shop.close_all() == 1
    assert len(await shop.insights(session)) == 1


async def test_an_event_that_comes_in_while_the_classifier_thinks_is_waited_for(shop: Shop) -> None:
    session = await shop.visit(*FAILING)
    shop.later()
    meanwhile = Interrupted(lambda: shop.visit(order(1450, 0), session=session))
    assert await shop.closer(meanwhile).close_due() == 1
    assert await shop.insights(session) == []
    assert (await shop.session(session)).lease_until is None
    shop.later()
    await shop.close_all()
    assert [insight.kind for insight in await shop.insights(session)] == ["converted"]


async def test_a_closer_whose_lease_ran_out_writes_nothing(shop: Shop) -> None:
    session = await shop.visit(*FAILING)
    shop.later()
    closed_by_the_other = []

    async def another_takes_over() -> None:
        shop.later(timedelta(minutes=5))
        assert await shop.closer().close_due() == 1
        closed_by_the_other.append(shop.now)
        shop.later(timedelta(minutes=5))

    slow = Interrupted(another_takes_over)
    await shop.closer(slow).close_due()
    assert len(await shop.insights(session)) == 1
    closed = await shop.session(session)
    assert [closed.closed_at] == closed_by_the_other
    assert closed.lease_token == 2


async def test_many_closers_give_each_session_one_insight(shop: Shop) -> None:
    sessions = [await shop.visit(*FAILING) for _ in range(30)]
    shop.later()
    claimed = await asyncio.gather(*(shop.close_all(shop.closer(batch=4)) for _ in range(5)))
    assert sum(claimed) == len(sessions)
    for session in sessions:
        assert len(await shop.insights(session)) == 1


async def test_classifying_again_writes_a_new_insight_and_keeps_the_old_one(shop: Shop) -> None:
    session = await shop.visit(*FAILING)
    shop.later()
    await shop.close_all()
    await shop.closer().classify_session(shop.project_id, session)
    assert [insight.superseded_at is None for insight in await shop.insights(session)] == [False, True]


async def test_a_session_that_nobody_knows_cannot_be_classified(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await shop.closer().classify_session(shop.project_id, uuid4())


async def test_a_session_of_another_project_cannot_be_classified(shop: Shop) -> None:
    session = await shop.visit(*FAILING)
    shop.later()
    await shop.close_all()
    with pytest.raises(NotFound):
        await shop.closer().classify_session(uuid4(), session)


async def test_serving_closes_what_is_due_and_ends_when_told(shop: Shop) -> None:
    session = await shop.visit(*FAILING)
    shop.later()
    stop = asyncio.Event()
    serving = asyncio.create_task(shop.closer().serve(stop))
    async with asyncio.timeout(20):
        while (await shop.session(session)).closed_at is None:  # noqa: ASYNC110  # the row is what is waited for
            await asyncio.sleep(0.02)
        stop.set()
        await serving


async def test_a_purchase_that_was_made_before_the_last_event_cancels_in_its_own_commit(shop: Shop) -> None:
    await shop.publish_flows()
    visitor = uuid4()
    session = await shop.visit(*FAILING, page("/", 600), visitor=visitor)
    bought_at = shop.now - timedelta(minutes=5)
    shop.later()
    await shop.close_all()
    assert {run.status for run in await shop.runs()} == {"waiting"}
    late, shop.now = shop.now, bought_at
    await shop.visit(order(1450, 0), session=session, visitor=visitor, received=late)
    assert {run.status for run in await shop.runs() if run.exit_on_conversion} == {"cancelled"}


async def test_a_closed_session_knows_the_live_actions_it_was_shown_each_once(shop: Shop) -> None:
    seen = ("trust_card", "discount_popup", "trust_card", "no action of ours")
    session = await shop.visit(page("/"), *(does("action_shown", action=one) for one in seen), leaves())
    shop.later()
    await shop.close_all()
    assert (await shop.session(session)).shown == ["trust_card", "discount_popup"]
