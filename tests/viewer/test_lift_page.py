"""The lift page: what it says, what it draws, what it teaches, and that it fits every window."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, expect

from adapters.postgres.engine import Database
from tests.demo.serving import serving
from tests.lift.crowds import BEGAN, crowd
from tests.lift.stored import store
from tests.viewer.conftest import log_in
from tests.viewer.seed import Keys

EFFECTS = {"cart_save": 0.6, "trust_card": 0.0, "discount_popup": -0.3}


async def logged_in(database: Database, project_id: UUID, keys: Keys, client: httpx.AsyncClient) -> httpx.AsyncClient:
    assert (await log_in(client, await keys.make(database, project_id))).status_code == 303
    return client


async def test_it_says_and_draws_what_acting_brings(
    database: Database, project_id: UUID, keys: Keys, client: httpx.AsyncClient
) -> None:
    await store(database, project_id, crowd(4_000, lift={"cart_save": 0.7}), share=0.2, since=BEGAN)
    await logged_in(database, project_id, keys, client)
    page = (await client.get("/app/lift")).text
    assert "It works: " in page
    assert 'class="band-of"' in page
    assert "Save the cart" in page
    assert ">Counts<" in page
    assert "Alarm" not in page
    margin = (await client.get("/app/lift?of=margin&by=segment&days=3")).text
    assert "Margin of 100 people." in margin
    assert "Device: phone" in margin
    assert "Their 3 days are not over" in margin


async def test_a_wrong_share_rings_the_alarm_and_no_verdict_is_shown(
    database: Database, project_id: UUID, keys: Keys, client: httpx.AsyncClient
) -> None:
    await store(database, project_id, crowd(3_000, held=0.1, lift={"cart_save": 0.7}), share=0.2, since=BEGAN)
    await logged_in(database, project_id, keys, client)
    page = (await client.get("/app/lift")).text
    assert 'role="alert"' in page
    assert "Do not believe these figures" in page
    assert "It works" not in page


async def test_without_a_holdout_it_teaches_how_to_switch_it_on(
    database: Database, project_id: UUID, keys: Keys, client: httpx.AsyncClient
) -> None:
    await logged_in(database, project_id, keys, client)
    page = (await client.get("/app/lift")).text
    assert "Nobody is held out yet" in page
    assert "/v1/shop" in page
    assert "<form" not in page.split("<main", 1)[1]


async def test_just_switched_on_it_says_what_it_waits_for(
    database: Database, project_id: UUID, keys: Keys, client: httpx.AsyncClient
) -> None:
    await store(database, project_id, crowd(40), share=0.2, since=BEGAN)
    await logged_in(database, project_id, keys, client)
    page = (await client.get("/app/lift?of=margin&by=nonsense&days=-1")).text
    assert "Cannot tell yet" in page
    assert "Nothing to draw yet" in page


async def test_strangers_are_sent_to_the_login(client: httpx.AsyncClient) -> None:
    answer = await client.get("/app/lift")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/app/login?next=")


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 768, 1280])
async def test_it_fits_every_window_and_works_without_javascript(
    database: Database, project_id: UUID, keys: Keys, app: FastAPI, browser: Browser, width: int
) -> None:
    people = crowd(3_000, lift=EFFECTS)
    await store(database, project_id, people, share=0.2, since=BEGAN - timedelta(days=1))
    key = await keys.make(database, project_id)
    async with serving(app) as base:
        context = await browser.new_context(viewport={"width": width, "height": 800}, java_script_enabled=False)
        page = await context.new_page()
        await page.goto(f"{base}/app/lift")
        await page.get_by_label("Secret key of the project").fill(key)
        await page.get_by_role("button", name="Log in by key").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Lift")
        await page.get_by_label("Groups by").select_option("segment")
        await page.get_by_role("button", name="Apply").click()
        await expect(page.get_by_role("heading", name="By segment")).to_be_visible()
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
        await context.close()
