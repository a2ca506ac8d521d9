"""`whyleft train intent` on stored sessions: stored with tenants apart, in use when better, picked up by the plan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from adapters.postgres.engine import Database
from insights.errors import NotFound
from insights.intents.fit import FitSettings
from insights.intents.model import PRIOR
from insights.intents.training import Trained, train
from insights.models import Event, IntentModelVersion, Project, Session
from insights.plans.load import read_plan, read_stamp
from insights.training.in_use import read_intent, read_intent_named
from insights.training.plot import rows, svg
from insights.training.sessions import read_examples
from insights.training.versions import store, use, versions_of
from insights.vocabulary.ids import uuid7
from insights.worker import ensure_partitions
from tests.intents.made_visits import of_visits, ruled

CHOICES = (FitSettings(knots=5, ridge=3.0),)
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(of_visits(ruled(600)), PRIOR, CHOICES)


async def test_stored_sessions_become_the_examples_that_their_events_are(database: Database, project_id: UUID) -> None:
    await ensure_partitions(database)
    visits = ruled(6)
    began = NOW - timedelta(hours=5)
    async with database.transaction(project_id) as tx:
        for n, steps in enumerate(visits):
            at = began + timedelta(minutes=10 * n)
            session, visitor = uuid7(int(at.timestamp() * 1000)), uuid4()
            closed = {} if n == 5 else {"closed_at": at + timedelta(minutes=5)}
            end = at + timedelta(seconds=60)
            tx.add(
                Session(
                    project_id=project_id,
                    id=session,
                    visitor_id=visitor,
                    started_at=at,
                    last_event_at=end,
                    last_received_at=end,
                    **closed,
                )
            )
            for number, (type_, props) in enumerate(steps):
                when = at + timedelta(seconds=5 * number)
                tx.add(
                    Event(
                        project_id=project_id,
                        session_id=session,
                        id=uuid7(int(when.timestamp() * 1000)),
                        visitor_id=visitor,
                        occurred_at=when,
                        received_at=when,
                        type=type_,
                        tab="",
                        seq=number,
                        props=props,
                    )
                )
    found = await read_examples(database, project_id, since=NOW - timedelta(days=1))
    # The last one is still open: nobody knows yet what came of it.
    expected = of_visits(visits[:5])
    assert sorted((e.row, e.outcomes, e.seen) for e in found) == sorted((e.row, e.outcomes, e.seen) for e in expected)
    assert await read_examples(database, project_id, since=NOW - timedelta(hours=1)) == []
    assert len({e.session for e in await read_examples(database, project_id, since=began, most=2)}) == 2


async def test_a_model_that_wins_is_in_use_and_the_plan_follows(
    database: Database, project_id: UUID, trained: Trained
) -> None:
    async with database.transaction(project_id) as tx:
        before = await read_stamp(tx, project_id)
        assert (await read_plan(tx, project_id)).intent is PRIOR
        row = await store(tx, project_id, trained, PRIOR, NOW, NOW)
        assert (row.version, row.role) == (1, "incumbent")
        assert await read_stamp(tx, project_id) != before
        plan = await read_plan(tx, project_id)
        assert plan.intent.name == "intent-1"
        assert plan.intent.log_odds([0.5] * 32) == pytest.approx(trained.model("x", PRIOR).log_odds([0.5] * 32))


async def test_a_model_that_does_not_win_is_kept_beside(database: Database, project_id: UUID, trained: Trained) -> None:
    async with database.transaction(project_id) as tx:
        await store(tx, project_id, trained, PRIOR, NOW, NOW)
        current = await read_intent(tx, project_id)
        again = train(of_visits(ruled(600)), current, CHOICES)
        assert (await store(tx, project_id, again, current, NOW, NOW)).role == "candidate"
        assert (await read_intent(tx, project_id)).name == "intent-1"
        assert [row.version for row in await versions_of(tx, project_id)] == [2, 1]


async def test_there_is_a_way_back_and_old_decisions_keep_their_model(
    database: Database, project_id: UUID, trained: Trained
) -> None:
    async with database.transaction(project_id) as tx:
        await store(tx, project_id, trained, PRIOR, NOW, NOW)
        await use(tx, project_id, 0)
        assert await read_intent(tx, project_id) is PRIOR
        assert (await read_intent_named(tx, project_id, "intent-1")).name == "intent-1"
        for name in ("prior-1", "intent-99", "intent-x", ""):
            assert await read_intent_named(tx, project_id, name) is PRIOR
        await use(tx, project_id, 1)
        assert (await read_intent(tx, project_id)).name == "intent-1"
        with pytest.raises(NotFound, match="no version 7"):
            await use(tx, project_id, 7)


async def test_projects_do_not_see_each_others_models(database: Database, project_id: UUID, trained: Trained) -> None:
    async with database.transaction(project_id) as tx:
        await store(tx, project_id, trained, PRIOR, NOW, NOW)
    other = uuid4()
    async with database.transaction(None) as tx:
        tx.add(Project(id=other, name=f"shop-{other}", allowed_origins=[]))
    async with database.transaction(other) as tx:
        assert (await tx.scalars(select(IntentModelVersion))).all() == []
        assert await read_intent(tx, other) is PRIOR


async def test_a_model_of_another_version_of_the_software_leaves_the_prior(
    database: Database, project_id: UUID
) -> None:
    async with database.transaction(project_id) as tx:
        unreadable = {"learned": [], "scores": {"propensity": {"bias": 0, "curves": [{"of": "gone"}], "tables": []}}}
        tx.add(
            IntentModelVersion(
                project_id=project_id,
                version=1,
                role="incumbent",
                made_at=NOW,
                trained_through=NOW,
                model=unreadable,
                report={},
            )
        )
        await tx.flush()
        assert await read_intent(tx, project_id) is PRIOR


def test_the_plot_shows_every_judged_score(trained: Trained) -> None:
    drawn = svg(trained.judged, "prior-1")
    assert drawn.count("<polyline") == 2 * len(trained.judged) > 0
    assert "nan" not in drawn
    assert len(rows(trained.judged[0].bins)) == len(trained.judged[0].bins) > 1
