"""What each project wants of its insights, answers found again, and a ceiling that holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from adapters.llm.port import Answer, ModelFailed, Prompt, Reply, Usage
from adapters.llm.scripted import ScriptedModel
from adapters.postgres.engine import Database
from insights.classification.book import AnswerBook
from insights.classification.calibration import shipped_calibrations
from insights.classification.classify import Classifier, NamesReasons
from insights.classification.closing import SessionCloser
from insights.classification.evidence import NAME
from insights.classification.pricing import Prices
from insights.classification.projects import KEPT_S, ProjectClassifiers
from insights.classification.wish_store import WishStore
from insights.classification.wishes import Endpoint, InsightWishes
from insights.errors import Refused
from insights.models import Insight, InsightSetting, ModelSpend
from insights.sealing import Sealer
from insights.timeline.assemble import assemble
from insights.timeline.timeline import Timeline
from tests.classification.shop import FAILING, Shop
from tests.classification.visits import SESSION, VISITOR, does, events, failed, leaves, page

NOW = datetime(2026, 4, 1, 12, 0, tzinfo=UTC)
PRICES = Prices(1.0, 10.0)
SECRET = b"s" * 32
SAYS = {"kind": "abandoned", "reason": "technical_error", "confidence": 0.9, "narrative": "So.", "evidence": ["e2"]}


class Metered(ScriptedModel):
    """A scripted model that uses 2,000 tokens in and 100 out an answer."""

    def __init__(self, *replies: Any, wait: float = 0.0) -> None:
        super().__init__(list(replies) or [{"insight": SAYS}], name="m")
        self._wait = wait

    async def answer(
        self,
        prompt: Prompt,
        schema: type[Answer],
        deadline: timedelta,
        *,
        check: Callable[[Answer], str | None] | None = None,
    ) -> Reply[Answer]:
        await asyncio.sleep(self._wait)
        try:
            reply = await super().answer(prompt, schema, deadline, check=check)
        except ModelFailed as failure:
            raise ModelFailed(failure.kind, Usage(1, 2_000, 0, 100)) from None
        return Reply(reply.answer, Usage(1, 2_000, 0, 100))


def visit(project_id: UUID, *more: Any) -> Timeline:
    return assemble(project_id, SESSION, VISITOR, events(page("/"), *[failed("/api/cart")] * 2, *more, leaves()))


def book(database: Database) -> AnswerBook:
    return AnswerBook(database, lambda: NOW)


def classifier(database: Database, model: ScriptedModel, ceiling: float | None = None) -> Classifier:
    return Classifier(
        model,
        threshold=0.5,
        deadline=timedelta(seconds=5),
        prices=PRICES,
        ceiling=ceiling,
        book=book(database),
    )


async def spent(database: Database, project_id: UUID) -> ModelSpend | None:
    async with database.transaction(project_id) as tx:
        return await tx.get(ModelSpend, (project_id, NOW.date()))


async def test_what_a_question_took_is_told_and_written_down(database: Database, project_id: UUID) -> None:
    said = await classifier(database, Metered()).classify(visit(project_id))
    assert (said.fallback, said.usage.tokens_in, said.cost_micros) == (None, 2_000, 3_000)
    account = await spent(database, project_id)
    assert account is not None
    assert (account.calls, account.tokens_in, account.tokens_out, account.cost_micros) == (1, 2_000, 100, 3_000)


async def test_a_model_is_not_asked_about_a_bots_visit(database: Database, project_id: UUID) -> None:
    model = Metered()
    by_a_bot = assemble(
        project_id, SESSION, VISITOR, events(page("/", client={"bot": True}), *[failed("/api/cart")] * 2, leaves())
    )
    said = await classifier(database, model).classify(by_a_bot)
    assert (said.classifier, said.fallback, model.prompts) == (NAME, "bot", [])
    assert await spent(database, project_id) is None


async def test_a_failure_is_paid_for_as_well(database: Database, project_id: UUID) -> None:
    said = await classifier(database, Metered(ModelFailed("refused")), ceiling=10).classify(visit(project_id))
    assert (said.fallback, said.cost_micros) == ("refused", 3_000)
    account = await spent(database, project_id)
    assert account is not None and account.cost_micros == 3_000


async def test_the_days_ceiling_is_never_passed_however_many_ask_at_once(database: Database, project_id: UUID) -> None:
    model = Metered(wait=0.01)
    names = classifier(database, model, ceiling=0.2)
    steps = [visit(project_id, does("scrolled", n)) for n in range(100)]
    said = await asyncio.gather(*(names.classify(timeline) for timeline in steps))
    account = await spent(database, project_id)
    assert account is not None
    assert account.cost_micros <= 200_000
    assert account.cost_micros == 3_000 * len(model.prompts)
    refused = [classified for classified in said if classified.fallback == "ceiling"]
    assert refused and all(classified.classifier == NAME and not classified.usage.calls for classified in refused)
    assert len(model.prompts) + len(refused) == 100


async def test_a_ceiling_of_nothing_asks_nothing(database: Database, project_id: UUID) -> None:
    model = Metered()
    said = await classifier(database, model, ceiling=0.0).classify(visit(project_id))
    assert (said.fallback, model.prompts) == ("ceiling", [])


async def closed_with(shop: Shop, database: Database, names: NamesReasons) -> UUID:
    session = await shop.visit(*FAILING)
    shop.now += timedelta(hours=2)
    await SessionCloser(database, names, lambda: shop.now).close_due()
    return session


async def test_the_same_question_is_answered_from_before_and_costs_nothing(
    database: Database, project_id: UUID, shop: Shop
) -> None:
    model = Metered()
    closer = SessionCloser(database, classifier(database, model), lambda: shop.now)
    session = await closed_with(shop, database, classifier(database, model))
    await closer.classify_session(project_id, session)
    assert len(model.prompts) == 1
    await closer.classify_session(project_id, session, fresh=True)
    assert len(model.prompts) == 2
    async with database.transaction(project_id) as tx:
        rows = list(await tx.scalars(select(Insight).where(Insight.session_id == session).order_by(Insight.created_at)))
    assert [(row.calls, row.tokens_in, row.cost_micros) for row in rows] == [
        (1, 2000, 3000),
        (0, 0, None),
        (1, 2000, 3000),
    ]
    assert len({(row.reason, row.classifier, row.question_key) for row in rows}) == 1


async def test_an_answer_that_todays_checks_refuse_is_asked_for_again(
    database: Database, project_id: UUID, shop: Shop
) -> None:
    model = Metered()
    names = classifier(database, model)
    session = await closed_with(shop, database, names)
    async with database.transaction(project_id) as tx:
        stored = {"insight": {**SAYS, "evidence": ["e999"]}}
        await tx.execute(update(Insight).where(Insight.session_id == session).values(answer=stored))
    await SessionCloser(database, names, lambda: shop.now).classify_session(project_id, session)
    assert len(model.prompts) == 2


async def test_the_rules_keep_no_answer(database: Database, project_id: UUID, shop: Shop) -> None:
    await closed_with(shop, database, classifier(database, Metered(ModelFailed("timeout"))))
    async with database.transaction(project_id) as tx:
        kept = await tx.scalar(select(func.count()).select_from(Insight).where(Insight.answer.is_not(None)))
    assert kept == 0


class Opened:
    """Models by endpoint, as they were opened."""

    def __init__(self) -> None:
        self.models: dict[Endpoint, Metered] = {}

    async def __call__(self, endpoint: Endpoint) -> Metered:
        assert endpoint not in self.models
        await asyncio.sleep(0)
        return self.models.setdefault(endpoint, Metered())


def projects(
    database: Database, opened: Opened, default: Endpoint | None = None, clock: Callable[[], float] = lambda: 0.0
) -> ProjectClassifiers:
    return ProjectClassifiers(
        database,
        WishStore(Sealer([SECRET])),
        defaults=InsightWishes(default, 0.5),
        deadline=timedelta(seconds=5),
        open_model=opened,
        calibrations=shipped_calibrations(),
        book=book(database),
        clock=clock,
    )


async def wish(database: Database, project_id: UUID, **change: Any) -> None:
    async with database.transaction(project_id) as tx:
        await WishStore(Sealer([SECRET])).write(tx, project_id, change, NOW)


async def test_a_project_without_wishes_gets_what_the_process_has(database: Database, project_id: UUID) -> None:
    ours = Endpoint("http://127.0.0.1:1/v1", "ours", "operators-key")
    assert (await projects(database, Opened()).classify(visit(project_id))).classifier == NAME
    opened = Opened()
    assert (await projects(database, opened, ours).classify(visit(project_id))).classifier.startswith("llm:")
    assert list(opened.models) == [ours]


async def test_all_who_want_a_model_while_it_is_opened_get_the_same_one(database: Database, project_id: UUID) -> None:
    opened = Opened()
    named = projects(database, opened, Endpoint("http://127.0.0.1:1/v1", "ours", ""))
    speakers = await asyncio.gather(*(named.speaker(project_id) for _ in range(4)))
    assert [speaker.model for speaker in speakers if speaker is not None] == list(opened.models.values()) * 4


async def test_a_projects_own_address_gets_its_own_key_and_never_the_operators(
    database: Database, project_id: UUID
) -> None:
    ours = Endpoint("http://127.0.0.1:1/v1", "ours", "operators-key")
    await wish(database, project_id, base_url="https://llm.example/v1", model="theirs")
    opened = Opened()
    await projects(database, opened, ours).classify(visit(project_id))
    assert list(opened.models) == [Endpoint("https://llm.example/v1", "theirs", "", public_only=True)]
    await wish(database, project_id, api_key="their-key")
    opened = Opened()
    await projects(database, opened, ours).classify(visit(project_id))
    assert list(opened.models) == [Endpoint("https://llm.example/v1", "theirs", "their-key", public_only=True)]
    async with database.transaction(project_id) as tx:
        row = await tx.get_one(InsightSetting, project_id)
    assert row.api_key is not None and b"their-key" not in row.api_key


async def test_a_key_stored_under_another_secret_is_said_to_be_unreadable(database: Database, project_id: UUID) -> None:
    await wish(database, project_id, base_url="https://llm.example/v1", model="m", api_key="k")
    other = WishStore(Sealer([b"t" * 32]))
    async with database.transaction(project_id) as tx:
        with pytest.raises(Refused, match="set it again"):
            await other.read(tx, project_id, InsightWishes(None, 0.5))


async def test_language_threshold_and_what_is_withheld_reach_the_question(database: Database, project_id: UUID) -> None:
    ours = Endpoint("http://127.0.0.1:1/v1", "ours")
    await wish(database, project_id, language="German", threshold=0.95, withheld=["searches"])
    opened = Opened()
    said = await projects(database, opened, ours).classify(visit(project_id, does("searched", query="blue mugs")))
    (model,) = opened.models.values()
    assert "language: German" in model.prompts[0].material
    assert "mugs" not in model.prompts[0].material
    assert said.verdict.reason.value == "unclear"


async def test_a_project_may_do_without_the_model(database: Database, project_id: UUID) -> None:
    await wish(database, project_id, use_model=False)
    names = projects(database, Opened(), Endpoint("http://127.0.0.1:1/v1", "ours"))
    assert (await names.classify(visit(project_id))).classifier == NAME
    assert await names.slowest_for(project_id) == timedelta(0) < names.slowest


async def test_changed_wishes_hold_at_once_here_and_soon_elsewhere(database: Database, project_id: UUID) -> None:
    now = [0.0]
    names = projects(database, Opened(), clock=lambda: now[0])
    assert await names.slowest_for(project_id) == timedelta(0)
    await wish(database, project_id, base_url="https://llm.example/v1", model="m")
    assert await names.slowest_for(project_id) == timedelta(0)
    now[0] = KEPT_S
    assert await names.slowest_for(project_id) > timedelta(0)
    await wish(database, project_id, use_model=False)
    names.forget(project_id)
    assert await names.slowest_for(project_id) == timedelta(0)


async def test_sessions_of_a_slow_project_beyond_what_a_lease_allows_are_given_back(
    database: Database, project_id: UUID, shop: Shop
) -> None:
    for _ in range(5):
        await shop.visit(*FAILING)
    shop.now += timedelta(hours=2)
    await wish(database, project_id, base_url="https://llm.example/v1", model="m")
    names = projects(database, Opened())
    closer = SessionCloser(database, names, lambda: shop.now, lease=timedelta(seconds=10), parallel=2)
    worked = [await closer.close_due() for _ in range(4)]
    assert worked[0] == 5
    async with database.transaction(project_id) as tx:
        assert await tx.scalar(select(func.count()).select_from(Insight)) == 5
