"""Closing sessions: the races that a time of receipt cannot see, failures that repeat, and what a log may hold."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from datetime import timedelta
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from adapters.llm.scripted import ScriptedModel
from insights.classification.classify import Classifier
from insights.errors import SessionStillOpen
from tests.classification.shop import FAILING, GRACE, Interrupted, Shop
from tests.classification.visits import does, order, page


async def test_an_event_received_in_the_same_millisecond_is_not_lost(shop: Shop) -> None:
    visitor, received = uuid4(), shop.now
    session = await shop.visit(*FAILING, visitor=visitor)
    shop.later()
    # Another process received it as early as the rest and committed it late: the time of receipt does not move.
    meanwhile = Interrupted(lambda: shop.visit(order(1450, 0), session=session, visitor=visitor, received=received))
    await shop.closer(meanwhile).close_due()
    shop.later()
    await shop.close_all()
    assert (await shop.insight(session)).kind == "converted"


async def test_classifying_again_never_brings_an_older_timeline_back(shop: Shop) -> None:
    visitor = uuid4()
    session = await shop.visit(*FAILING, visitor=visitor)
    shop.later()
    await shop.close_all()

    async def it_is_bought_and_closed_again() -> None:
        await shop.visit(order(1450, 0), session=session, visitor=visitor)
        shop.later(GRACE)
        await shop.close_all()

    await shop.closer(Interrupted(it_is_bought_and_closed_again)).classify_session(shop.project_id, session)
    assert (await shop.insight(session)).kind == "converted"


async def test_an_open_session_cannot_be_classified_again(shop: Shop) -> None:
    session = await shop.visit(page("/"))
    with pytest.raises(SessionStillOpen):
        await shop.closer().classify_session(shop.project_id, session)
    assert await shop.insights(session) == []


async def test_a_session_that_keeps_failing_is_tried_less_and_less(shop: Shop) -> None:
    await shop.publish_unreadable_flow()
    session = await shop.visit(*FAILING)
    shop.later()
    waits = []
    for _ in range(4):
        assert await shop.closer().close_due() == 1
        until = (await shop.session(session)).lease_until
        assert until is not None
        waits.append(until - shop.now)
        shop.now = until + timedelta(seconds=1)
    assert waits == sorted(set(waits))


async def test_a_failure_is_logged_without_the_visit(shop: Shop) -> None:
    await shop.publish_unreadable_flow("CANARY")
    session = await shop.visit(does("searched", 1, query="CANARY", results=1), *FAILING)
    shop.later()
    printed = io.StringIO()
    with capture_logs() as logs, redirect_stdout(printed):
        await shop.closer().close_due()
    failures = [entry for entry in logs if entry["event"] == "session_close_failed"]
    assert [entry["session"] for entry in failures] == [str(session)]
    assert "CANARY" not in str(logs) + printed.getvalue()
    assert not any(entry.get("exc_info") for entry in failures)


async def test_a_slow_model_claims_no_more_than_its_lease_allows(shop: Shop) -> None:
    for _ in range(40):
        await shop.visit(*FAILING)
    shop.later()
    slow = Classifier(ScriptedModel([{}]), threshold=0.5, deadline=timedelta(seconds=20))
    closer = shop.closer(slow, lease=timedelta(seconds=60), batch=100, parallel=8)
    assert await closer.close_due() <= 8 * 60 / 20
