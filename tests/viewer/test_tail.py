"""The live tail: rows come as sessions come and change, and it ends by itself."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect
from sqlalchemy import update

from adapters.postgres.engine import Database
from insights.models import ApiKey, Session
from insights.viewer.filters import Filters
from insights.viewer.reading import Reader
from insights.viewer.session_list import read_changed
from insights.viewer.tail import EVERY, LASTS, SharedLooks, Tails, resumed
from tests.demo.serving import serving
from tests.viewer.conftest import Shop
from tests.viewer.seed import NOW, store
from tests.viewer.seed import browser as browser_visit

SHOP = uuid4()


async def test_what_came_or_closed_since_is_told_once_it_matches(
    shop: Shop, database: Database, project_id: UUID
) -> None:
    fresh = browser_visit(NOW - timedelta(seconds=95), reason=None)
    async with database.transaction(project_id) as tx:
        await store(tx, project_id, fresh)
    async with Reader(database).reading(project_id) as tx:
        since = NOW - timedelta(seconds=3)
        rows = await read_changed(tx, project_id, Filters(), since, NOW, 10)
        assert [row.id for row in rows] == [fresh.id]
        assert rows[0].exit == "/returns"
        assert await read_changed(tx, project_id, Filters(text="nobody"), since, NOW, 10) == ()
        assert await read_changed(tx, project_id, Filters(), NOW + timedelta(minutes=5), NOW, 10) == ()


async def collect(tails: Tails, rows: list[list[str] | None]) -> list[str]:
    async def look(since: datetime) -> list[str] | None:
        return rows.pop(0) if rows else []

    return [told async for told in tails.follow(SHOP, look, NOW) if not told.startswith(":")]


async def test_a_tail_closes_itself() -> None:
    tails = Tails(lambda: NOW, lasts=timedelta(milliseconds=3), every=timedelta(milliseconds=1))
    assert await collect(tails, [["<tr>\n<td>"]]) == [
        f"event: row\nid: {NOW.isoformat()}\ndata: <tr>\ndata: <td>\n\n",
        "event: over\ndata: time\n\n",
    ]


async def test_those_who_follow_the_same_list_share_a_look() -> None:
    clock = [100.0]
    looks, asked = SharedLooks(lambda: clock[0]), []

    async def read(since: datetime) -> list[str]:
        asked.append(since)
        await asyncio.sleep(0)
        return [str(len(asked))]

    told = await asyncio.gather(*(looks.of("all", NOW, read) for _ in range(50)))
    assert told == [["1"]] * 50 and asked == [NOW]
    assert await looks.of("phones", NOW, read) == ["2"]
    clock[0] += EVERY.total_seconds() / 2
    assert await looks.of("all", NOW + EVERY / 4, read) == ["1"]
    assert await looks.of("all", NOW - EVERY, read) == ["3"], "who has seen less looks for themselves"
    clock[0] += EVERY.total_seconds()
    assert await looks.of("all", NOW, read) == ["4"], "what changed meanwhile is looked for"


async def test_a_look_that_failed_is_not_kept_and_one_who_leaves_takes_it_from_nobody() -> None:
    clock = [100.0]
    looks = SharedLooks(lambda: clock[0])
    gate = asyncio.Event()

    async def slow(since: datetime) -> list[str]:
        await gate.wait()
        return ["row"]

    leaving = asyncio.create_task(looks.of("all", NOW, slow))
    staying = asyncio.create_task(looks.of("all", NOW, slow))
    await asyncio.sleep(0)
    leaving.cancel()
    gate.set()
    assert await staying == ["row"]

    async def broken(since: datetime) -> list[str]:
        raise OSError

    with pytest.raises(OSError):
        await looks.of("broken", NOW, broken)
    clock[0] += EVERY.total_seconds()
    assert await looks.of("broken", NOW, slow) == ["row"]


@pytest.mark.parametrize(
    ("said", "since"),
    [
        ("", NOW),
        ("yesterday", NOW),
        ((NOW - timedelta(seconds=20)).isoformat(), NOW - timedelta(seconds=20)),
        ((NOW - timedelta(days=2)).isoformat(), NOW - LASTS),
        ((NOW + timedelta(days=2)).isoformat(), NOW),
        ("2026-11-21T14:05:00", NOW),
    ],
)
def test_a_browser_that_comes_back_goes_on_where_it_was(said: str, since: datetime) -> None:
    assert resumed(said, NOW) == since


async def test_a_login_that_ended_ends_its_tail() -> None:
    tails = Tails(lambda: NOW, every=timedelta(milliseconds=1))
    assert await collect(tails, [[], None, ["never"]]) == ["event: over\ndata: login\n\n"]


async def test_there_is_room_for_so_many_and_then_again() -> None:
    tails = Tails(lambda: NOW, every=timedelta(milliseconds=1), most=1)
    followed = tails.follow(SHOP, lambda since: asyncio.sleep(0, []), NOW)
    await anext(followed)
    assert tails.full(SHOP)
    await followed.aclose()
    assert not tails.full(SHOP)


@pytest.mark.browser
async def test_a_visit_comes_in_on_top_while_somebody_follows(
    shop: Shop, app: FastAPI, browser: Browser, database: Database, project_id: UUID
) -> None:
    async with serving(app) as base:
        page = await browser.new_page(reduced_motion="reduce")
        await page.goto(f"{base}/app/sessions?state=closed")
        await page.fill("#key", shop.key)
        await page.keyboard.press("Enter")
        button = page.get_by_role("button", name="Follow live")
        await button.click()
        stop = page.get_by_role("button", name="Stop following")
        await expect(stop).to_have_attribute("aria-pressed", "true")
        visit = browser_visit(NOW - timedelta(seconds=90), reason="unclear")
        async with database.transaction(project_id) as tx:
            await store(tx, project_id, visit)
            await tx.execute(
                update(Session).where(Session.id == visit.id).values(last_received_at=NOW + timedelta(seconds=1))
            )
        row = page.locator("table.sessions tbody tr").first
        await expect(row).to_have_attribute("id", f"s-{visit.id.hex}")
        await expect(page.get_by_role("status")).to_have_text("Following: 1 new visit.")
        assert await page.locator(f"#s-{visit.id.hex}").count() == 1
        async with database.transaction(project_id) as tx:
            await tx.execute(update(ApiKey).where(ApiKey.project_id == project_id).values(revoked_at=NOW))
        await expect(page.get_by_text("Your login is over")).to_be_visible()
        await page.close()
