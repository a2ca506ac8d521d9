"""What waits for a human: runs that gave up are put back to work, and messages nobody knows of are listed."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select, update

from adapters.postgres.engine import Database
from flows.models import Delivery, FlowRun, RunEvent
from insights.models import ApiKey
from tests.viewer.conftest import Shop
from tests.viewer.seed import NOW, Visit, run, store


@pytest.fixture
async def dead(database: Database, shop: Shop) -> list[Visit]:
    """Two visits whose runs, of a flow each, gave up."""
    visits = []
    async with database.transaction(shop.project_id) as tx:
        for hours, flow, why in ((3, "Win back", "no template <b>spring</b>"), (2, "Ask them", "KeyError: 'size'")):
            began = NOW - timedelta(hours=hours)
            visit = Visit(began, [(0, "page_viewed", {"path": "/"}), (5, "clicked", {})], reason="distraction")
            await store(tx, shop.project_id, visit)
            await run(tx, shop.project_id, visit, flow, status="dead", end_reason=why)
            visits.append(visit)
    return visits


async def runs(database: Database, shop: Shop) -> dict[UUID, FlowRun]:
    """Visitor → their run."""
    async with database.transaction(shop.project_id) as tx:
        return {one.visitor_id: one for one in await tx.scalars(select(FlowRun))}


def token_of(page: str) -> str:
    """The token of the page's own forms; the first of all is the one to log out with."""
    return page.rsplit('name="token" value="', 1)[1].split('"', 1)[0]


async def send(shop: Shop, path: str, **fields: str) -> httpx.Response:
    page = await shop.see("/runs/dead")
    return await shop.client.post(f"/app{path}", data={"token": token_of(page)} | fields)


async def test_without_any_the_page_says_that_all_is_well(shop: Shop) -> None:
    assert "No run gave up" in await shop.see("/runs/dead")
    assert "Every message is accounted for" in await shop.see("/messages/unknown")


async def test_each_says_why_and_leads_to_the_visit_behind_it(shop: Shop, dead: list[Visit]) -> None:
    page = await shop.see("/runs/dead")
    assert page.index("KeyError") < page.index("no template &lt;b&gt;spring"), "the latest first"
    for visit in dead:
        assert f'href="/app/sessions/{visit.id}#done"' in page
    assert 'href="/app/runs/dead"' in await shop.see("/")


async def test_one_goes_back_to_work_where_it_stood(database: Database, shop: Shop, dead: list[Visit]) -> None:
    chosen = (await runs(database, shop))[dead[0].visitor_id]
    assert (await send(shop, f"/runs/{chosen.id}/replay")).status_code == 303
    after = await runs(database, shop)
    assert [after[visit.visitor_id].status for visit in dead] == ["waiting", "dead"]
    assert after[dead[0].visitor_id].due_at == chosen.ended_at
    async with database.transaction(shop.project_id) as tx:
        assert "replayed" in (await tx.scalars(select(RunEvent.what).where(RunEvent.run_id == chosen.id))).all()
    twice = await send(shop, f"/runs/{chosen.id}/replay")
    assert twice.status_code == 409 and "This run is waiting" in twice.text
    assert (await send(shop, f"/runs/{uuid4()}/replay")).status_code == 404


async def test_those_of_one_flow_go_back_together(database: Database, shop: Shop, dead: list[Visit]) -> None:
    flow = (await runs(database, shop))[dead[1].visitor_id].flow_id
    page = await shop.see(f"/runs/dead?flow={flow}")
    assert "KeyError" in page and "no template" not in page
    assert (await send(shop, "/runs/dead/replay", flow=str(flow))).status_code == 303
    after = await runs(database, shop)
    assert [after[visit.visitor_id].status for visit in dead] == ["dead", "waiting"]
    wrong = await send(shop, "/runs/dead/replay", flow="all")
    assert wrong.status_code == 400 and "no flow id" in wrong.text
    assert (await send(shop, "/runs/dead/replay")).status_code == 303
    assert "dead" not in {one.status for one in (await runs(database, shop)).values()}


async def test_a_reader_sees_them_and_puts_none_back(database: Database, shop: Shop, dead: list[Visit]) -> None:
    token = token_of(await shop.see("/runs/dead"))
    async with database.transaction(shop.project_id) as tx:
        await tx.execute(update(ApiKey).where(ApiKey.project_id == shop.project_id).values(role="reader"))
    page = await shop.see("/runs/dead")
    assert "KeyError" in page and "/replay" not in page
    assert (await shop.client.post("/app/runs/dead/replay", data={"token": token})).status_code == 403
    assert {one.status for one in (await runs(database, shop)).values()} >= {"dead"}


async def test_more_than_a_page_of_them_are_all_reached(database: Database, shop: Shop, dead: list[Visit]) -> None:
    first = (await runs(database, shop))[dead[0].visitor_id]
    values = {column.key: getattr(first, column.key) for column in FlowRun.__table__.columns}
    async with database.transaction(shop.project_id) as tx:
        for number in range(60):
            tx.add(
                FlowRun(**values | {"id": uuid4(), "trigger_key": f"again {number}", "end_reason": f"why-{number}-"})
            )
    pages = [await shop.see("/runs/dead")]
    assert "62 back to work" in pages[0]
    after = pages[0].split('rel="next"')[0].rsplit('href="/app', 1)[1].split('"', 1)[0]
    pages.append(await shop.see(after.replace("&amp;", "&")))
    assert all(sum(f"why-{number}-" in page for page in pages) == 1 for number in range(60))


async def test_messages_nobody_knows_of_are_listed_with_whom_they_went_to_masked(
    database: Database, shop: Shop, dead: list[Visit]
) -> None:
    its_run = (await runs(database, shop))[dead[0].visitor_id]
    async with database.transaction(shop.project_id) as tx:
        for status, recipient, days in (("unknown", "anna@example.com", 40), ("accepted", "bert@example.com", 1)):
            tx.add(
                Delivery(
                    project_id=shop.project_id, id=uuid4(), run_id=its_run.id, step="mail", action="send_email",
                    visitor_id=its_run.visitor_id, channel="email", recipient=recipient, dedupe_key=str(uuid4()),
                    content={}, status=status, attempts=1, created_at=NOW - timedelta(days=days),
                    error="the connection broke",
                )
            )  # fmt: skip
    assert 'href="/app/messages/unknown"' in await shop.see("/")
    page = await shop.see("/messages/unknown")
    assert "the connection broke" in page and page.count('scope="row"') == 1
    assert "anna@example.com" not in page
    assert f'href="/app/sessions/{dead[0].id}#done"' in page
