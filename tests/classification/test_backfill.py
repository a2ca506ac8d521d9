"""Naming past sessions again: side by side, and through a batch API that answers later, partly, or not at all."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from adapters.llm.openai_batch import BatchFailed
from flows.models import FlowRun
from insights.classification.backfill import name_again, sessions_to_name
from insights.classification.batches import Batches
from insights.classification.book import AnswerBook
from insights.classification.calibration import shipped_calibrations
from insights.classification.closing import SessionCloser
from insights.classification.evidence import NAME
from insights.classification.pricing import Prices
from insights.classification.projects import ProjectClassifiers
from insights.classification.wish_store import WishStore
from insights.classification.wishes import Endpoint, InsightWishes
from insights.errors import Refused
from insights.models import Insight, ModelBatch, ModelSpend, Session
from insights.sealing import Sealer
from tests.classification.shop import FAILING, Shop
from tests.classification.test_projects import Metered
from tests.classification.visits import does, failed, leaves, page


class Provider:
    """The batch API of a provider, over real HTTP. ``answers`` are given in turn, to the questions in their order."""

    def __init__(self) -> None:
        self.url = ""
        self.files: dict[str, bytes] = {}
        self.status = "in_progress"
        self.answers: list[Any] = [None]
        self.refuse = 0

    @property
    def questions(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files.get("file-in", b"").splitlines()]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                found = re.search(rb"content-length: (\d+)", head.lower())
                body = await reader.readexactly(int(found[1])) if found else b""
                method, path = head.split(b" ")[:2]
                answer = self._answer(method.decode(), path.decode(), body)
                status = self.refuse or 200
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n".encode())
                writer.write(f"content-length: {len(answer)}\r\n\r\n".encode() + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, method: str, path: str, body: bytes) -> bytes:
        if path == "/v1/files":
            part = re.search(rb'filename="questions\.jsonl".*?\r\n\r\n(.*?)\r\n--', body, re.DOTALL)
            assert part is not None
            if not self.refuse:
                self.files["file-in"] = part[1]
            return json.dumps(
                {"id": "file-in", "object": "file", "bytes": 1, "created_at": 1, "filename": "q", "purpose": "batch"}
                | {"status": "processed"}
            ).encode()
        if path.endswith("/content"):
            return self._output()
        total = len(self.questions)
        return json.dumps(
            {
                "id": "batch-1",
                "object": "batch",
                "endpoint": "/v1/chat/completions",
                "input_file_id": "file-in",
                "completion_window": "24h",
                "status": self.status,
                "created_at": 1,
                "output_file_id": "file-out" if self.status in ("completed", "expired") else None,
                "request_counts": {"total": total, "completed": total // 2, "failed": 0},
            }
        ).encode()

    def _output(self) -> bytes:
        lines = []
        for number, question in enumerate(self.questions):
            answer = self.answers[number % len(self.answers)]
            if answer is None:
                continue
            body = {
                "choices": [{"message": {"content": json.dumps({"insight": answer})}}],
                "usage": {"prompt_tokens": 2000, "completion_tokens": 100},
            }
            response = {"status_code": 200, "body": body}
            lines.append(json.dumps({"id": "r", "custom_id": question["custom_id"], "response": response}))
        return "\n".join([*lines, "not a line"]).encode()


@asynccontextmanager
async def listening() -> AsyncIterator[Provider]:
    provider = Provider()
    server = await asyncio.start_server(provider.handle, "127.0.0.1", 0, limit=2**24)
    provider.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield provider
    finally:
        server.close()


GOOD = {"kind": "abandoned", "reason": "technical_error", "confidence": 0.9, "narrative": "Broken.", "evidence": ["2"]}


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with listening() as provider:
        yield provider


@pytest.fixture
async def shop(shop: Shop) -> Shop:
    await shop.publish_flows()
    return shop


async def opened(_: Endpoint) -> Metered:
    return Metered({"insight": GOOD})


def classifiers(shop: Shop, provider: Provider, ceiling: float | None = None) -> ProjectClassifiers:
    return ProjectClassifiers(
        shop.database,
        WishStore(Sealer([b"s" * 32])),
        defaults=InsightWishes(Endpoint(provider.url, "m", "k"), 0.5, prices=Prices(1, 10), daily_ceiling=ceiling),
        deadline=timedelta(seconds=5),
        open_model=opened,
        calibrations=shipped_calibrations(),
        book=AnswerBook(shop.database, lambda: shop.now),
    )


def batches(shop: Shop, names: ProjectClassifiers) -> Batches:
    return Batches(shop.database, names, AnswerBook(shop.database, lambda: shop.now), lambda: shop.now)


async def closed(shop: Shop, count: int) -> list[UUID]:
    """Sessions that the rules have named; each differs a little."""
    sessions = [await shop.visit(*FAILING[:-1], does("scrolled", n + 1), leaves()) for n in range(count)]
    shop.later()
    while await shop.closer().close_due():
        pass
    return sessions


async def runs(shop: Shop) -> int:
    async with shop.database.transaction(shop.project_id) as tx:
        return await tx.scalar(select(func.count()).select_from(FlowRun)) or 0


async def spent(shop: Shop) -> ModelSpend:
    async with shop.database.transaction(shop.project_id) as tx:
        return await tx.get_one(ModelSpend, (shop.project_id, shop.now.date()))


async def to_name(shop: Shop, names: ProjectClassifiers) -> list[UUID]:
    name = (await names.of(shop.project_id)).name
    async with shop.database.transaction(shop.project_id) as tx:
        return await sessions_to_name(tx, shop.project_id, name, since=None)


async def test_side_by_side_every_session_is_named_once_and_no_flow_starts(shop: Shop, provider: Provider) -> None:
    sessions = await closed(shop, 12)
    before, names = await runs(shop), classifiers(shop, provider)
    assert set(await to_name(shop, names)) == set(sessions)
    told = []
    closer = SessionCloser(shop.database, names, lambda: shop.now)
    tally = await name_again(closer, shop.project_id, sessions, parallel=4, told=lambda: told.append(1))
    assert (tally.named, tally.by_rules, tally.skipped, len(told)) == (12, 0, 0, 12)
    assert await to_name(shop, names) == []
    assert await runs(shop) == before > 0


async def test_a_batch_is_handed_in_collected_by_another_process_and_paid_for(shop: Shop, provider: Provider) -> None:
    sessions = await closed(shop, 6)
    before = await runs(shop)
    made = await batches(shop, classifiers(shop, provider)).hand_in(shop.project_id, sessions)
    assert made is not None and set(made.sessions) == set(sessions)
    question = provider.questions[0]
    assert question["body"]["response_format"]["json_schema"]["strict"] is True
    assert question["body"]["messages"][1]["content"].startswith("kind: abandoned")
    # Another process goes on.
    names = classifiers(shop, provider)
    again = batches(shop, names)
    (batch,) = await again.open(shop.project_id)
    state = await again.state(shop.project_id, batch)
    assert (state.status, state.answered, state.total) == ("waiting", 3, 6)
    provider.status, provider.answers = "completed", [GOOD]
    tally = await again.collect(shop.project_id, batch, await again.state(shop.project_id, batch))
    assert (tally.named, tally.skipped) == (6, 0)
    assert await again.open(shop.project_id) == [] == await to_name(shop, names)
    account = await spent(shop)
    assert (account.calls, account.tokens_in, account.tokens_out, account.cost_micros) == (6, 12_000, 600, 18_000)
    insight = await shop.insight(sessions[0])
    assert (insight.classifier, insight.reason, insight.fallback) == ("llm:m:v4", "technical_error", None)
    assert await runs(shop) == before


async def test_what_a_batch_refuses_or_lies_about_leaves_the_insight_as_it_was(shop: Shop, provider: Provider) -> None:
    sessions = await closed(shop, 4)
    names = classifiers(shop, provider)
    batch = await batches(shop, names).hand_in(shop.project_id, sessions)
    assert batch is not None
    provider.status = "expired"
    provider.answers = [GOOD, None, {**GOOD, "kind": "converted"}, {**GOOD, "evidence": ["99"]}]
    tally = await batches(shop, names).collect(
        shop.project_id, batch, await batches(shop, names).state(shop.project_id, batch)
    )
    assert (tally.named, tally.skipped) == (1, 3)
    said = sorted([(await shop.insight(session)).classifier for session in sessions])
    assert said == [NAME, NAME, NAME, "llm:m:v4"]
    assert (await spent(shop)).calls == 3


async def test_bots_visits_are_neither_named_again_nor_asked_about(shop: Shop, provider: Provider) -> None:
    by_a_bot = await shop.visit(page("/", client={"bot": True}), failed("/api/cart"), leaves())
    (by_a_person,) = await closed(shop, 1)
    async with shop.database.transaction(shop.project_id) as tx:
        assert await sessions_to_name(tx, shop.project_id, "llm:m:v4", since=None) == [by_a_person]
    assert await batches(shop, classifiers(shop, provider)).hand_in(shop.project_id, [by_a_bot]) is None


async def test_a_visit_that_went_on_meanwhile_is_left_alone(shop: Shop, provider: Provider) -> None:
    (session,) = await closed(shop, 1)
    names = classifiers(shop, provider)
    batch = await batches(shop, names).hand_in(shop.project_id, [session])
    assert batch is not None
    await shop.visit(page("/more"), failed("/api/cart"), leaves(), session=session)
    shop.later()
    while await shop.closer().close_due():
        pass
    provider.status, provider.answers = "completed", [GOOD]
    tally = await batches(shop, names).collect(
        shop.project_id, batch, await batches(shop, names).state(shop.project_id, batch)
    )
    assert (tally.named, tally.skipped) == (0, 1)
    assert (await shop.insight(session)).classifier == NAME


async def test_collecting_twice_changes_nothing_and_costs_nothing(shop: Shop, provider: Provider) -> None:
    sessions = await closed(shop, 2)
    names = classifiers(shop, provider, ceiling=10)
    batch = await batches(shop, names).hand_in(shop.project_id, sessions)
    assert batch is not None and batch.reserved_micros > 0
    assert (await spent(shop)).cost_micros == batch.reserved_micros
    provider.status, provider.answers = "completed", [GOOD]
    for _ in range(2):
        state = await batches(shop, names).state(shop.project_id, batch)
        await batches(shop, names).collect(shop.project_id, batch, state)
    account = await spent(shop)
    assert (account.calls, account.cost_micros) == (2, 6_000)
    async with shop.database.transaction(shop.project_id) as tx:
        row = await tx.get_one(ModelBatch, (shop.project_id, batch.id))
    assert row.outcome == {"named": 2, "by_rules": 0, "skipped": 0}


async def test_a_batch_over_the_ceiling_or_one_that_is_not_taken_costs_nothing(shop: Shop, provider: Provider) -> None:
    sessions = await closed(shop, 2)
    with pytest.raises(Refused, match="ceiling"):
        await batches(shop, classifiers(shop, provider, ceiling=0.001)).hand_in(shop.project_id, sessions)
    assert provider.questions == []
    provider.refuse = 404
    with pytest.raises(BatchFailed, match="HTTP 404"):
        await batches(shop, classifiers(shop, provider, ceiling=10)).hand_in(shop.project_id, sessions)
    assert (await spent(shop)).cost_micros == 0
    assert await batches(shop, classifiers(shop, provider)).open(shop.project_id) == []


async def test_without_a_model_there_is_nothing_to_hand_in(shop: Shop, provider: Provider) -> None:
    sessions = await closed(shop, 1)
    async with shop.database.transaction(shop.project_id) as tx:
        await WishStore(Sealer([b"s" * 32])).write(tx, shop.project_id, {"use_model": False}, shop.now)
    with pytest.raises(Refused, match="no model"):
        await batches(shop, classifiers(shop, provider)).hand_in(shop.project_id, sessions)


async def test_the_insights_of_a_batch_cite_events_that_exist(shop: Shop, provider: Provider) -> None:
    sessions = await closed(shop, 3)
    names = classifiers(shop, provider)
    batch = await batches(shop, names).hand_in(shop.project_id, sessions)
    assert batch is not None
    provider.status, provider.answers = "completed", [GOOD]
    state = await batches(shop, names).state(shop.project_id, batch)
    await batches(shop, names).collect(shop.project_id, batch, state)
    async with shop.database.transaction(shop.project_id) as tx:
        for insight in await tx.scalars(select(Insight).where(Insight.superseded_at.is_(None))):
            timeline = (await tx.get_one(Session, (shop.project_id, insight.session_id))).id
            assert timeline == insight.session_id
            assert len(insight.evidence) == 1
