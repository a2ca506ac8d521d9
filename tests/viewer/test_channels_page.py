"""The channels page: what goes out how, what went wrong, and what to do."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from fastapi import FastAPI
from playwright.async_api import Browser
from sqlalchemy import update

from adapters.postgres.engine import Database
from flows.models import Delivery
from insights.channels.store import Wanted, create
from insights.models import ChannelSetup
from insights.sealing import Sealer
from tests.demo.serving import serving
from tests.viewer.conftest import Shop
from tests.viewer.seed import NOW

CANARY = "canary-of-the-page"
SEALER = Sealer([b"k" * 32])


async def channel(database: Database, shop: Shop, name: str, **health: object) -> ChannelSetup:
    wanted = Wanted({"sender": "Shop <mail@shop.example>"}, {"api_key": CANARY})
    async with database.transaction(shop.project_id) as tx:
        row = await create(tx, SEALER, shop.project_id, "resend", name, wanted, NOW)
    if health:
        async with database.transaction(shop.project_id) as tx:
            await tx.execute(update(ChannelSetup).where(ChannelSetup.id == row.id).values(**health))
    return row


async def delivery(database: Database, shop: Shop, of: ChannelSetup, **other: object) -> None:
    values = {"status": "accepted", "error": None, "fate": None} | other
    async with database.transaction(shop.project_id) as tx:
        tx.add(
            Delivery(
                project_id=shop.project_id,
                id=uuid4(),
                run_id=uuid4(),
                step="mail",
                action="send_email",
                visitor_id=uuid4(),
                channel="email",
                recipient="anna@example.com",
                dedupe_key=str(uuid4()),
                content={},
                attempts=1,
                created_at=NOW - timedelta(hours=1),
                channel_id=of.id,
                **values,
            )
        )


async def test_without_a_channel_it_teaches_how_to_set_one_up(shop: Shop) -> None:
    page = await shop.see("/channels")
    assert "Nothing goes out yet" in page
    assert "/v1/channels" in page
    assert "Amazon SES" in page


async def test_each_channel_shows_how_it_fares_and_what_to_do(database: Database, shop: Shop) -> None:
    well = await channel(database, shop, "main", last_ok_at=NOW - timedelta(minutes=3))
    ill = "The provider refuses the credentials (401): make a new key."
    await channel(database, shop, "spare", last_error=ill, last_error_at=NOW, failures=4)
    await delivery(database, shop, well)
    await delivery(database, shop, well, status="rejected", error="Resend does not know the sender's domain.")
    await delivery(database, shop, well, fate="bounced", error="550 no such user <script>alert(1)</script>")
    await delivery(database, shop, well, status="unknown", error="The connection broke.", fate=None)
    page = await shop.see("/channels")
    assert "4 in a row went wrong" in page
    assert ill in page
    assert "only where a step names it" in page
    assert "/v1/callbacks/" in page
    assert "1 taken" in page
    assert "does not know the sender&#39;s domain" in page
    assert "a report by callback settles it" in page
    assert "<script>alert" not in page
    assert CANARY not in page
    assert "anna@example.com" not in page


async def test_another_project_sees_none_of_it(database: Database, shop: Shop) -> None:
    other = Shop(uuid4(), "", {}, shop.client)
    async with database.transaction(other.project_id) as tx:
        await create(
            tx,
            SEALER,
            other.project_id,
            "resend",
            "theirs",
            Wanted({"sender": "a@b.example"}, {"api_key": CANARY}),
            NOW,
        )
    assert "theirs" not in await shop.see("/channels")


async def test_it_fits_a_phone(database: Database, shop: Shop, app: FastAPI, browser: Browser) -> None:
    row = await channel(database, shop, "main", last_error="x" * 400, last_error_at=NOW, failures=2)
    await delivery(database, shop, row, status="rejected", error="y" * 300)
    async with serving(app) as address:
        context = await browser.new_context(viewport={"width": 360, "height": 760})
        page = await context.new_page()
        await page.goto(f"{address}/app/login")
        await page.fill("input[name=key]", shop.key)
        await page.click("main button")
        await page.goto(f"{address}/app/channels")
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        await context.close()
