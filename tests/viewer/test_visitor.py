"""One visitor: the person on all their devices, their names masked, what was refused, the trail in one line."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser

from adapters.postgres.engine import Database
from flows.triggers import record_conversion
from insights.identity.links import links_said
from insights.identity.stitch import stitch
from insights.segments.membership import add_visitor
from insights.segments.store import create_segment
from insights.segments.tags import change_tags
from insights.viewer.visitor_page import VISITS_A_PAGE
from tests.demo.serving import serving
from tests.viewer.conftest import Shop
from tests.viewer.seed import NOW, Visit, broken_checkout, run, store

MUG = {"product_id": "mug", "name": "Morning mug", "price_minor": 1450, "currency": "EUR"}


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page))).strip()


def section(page: str, name: str) -> str:
    return text_of(page.split(f'<section class="card" id="{name}"', 1)[1].split("</section>", 1)[0])


class Ada:
    """A customer with a laptop and a phone, and a tablet where somebody else logs in, too."""

    def __init__(self) -> None:
        self.laptop, self.phone, self.tablet = uuid4(), uuid4(), uuid4()
        self.left = broken_checkout(NOW - timedelta(days=2), visitor_id=self.laptop, email="ada@example.org")
        self.bought = Visit(
            NOW - timedelta(hours=3),
            [
                (0, "page_viewed", {"path": "/mugs", "client": {"viewport": "390x844", "language": "en-GB"}}),
                (2, "identified", {"user_id": "customer-1842", "email": "ada@example.org"}),
                (4, "product_viewed", MUG),
                (5, "product_viewed", MUG),
                (60, "purchased", {"order_id": "A-7", "value_minor": 1450, "currency": "EUR", "items": 1}),
            ],
            visitor_id=self.phone,
            kind="converted",
            reason="value_fit",
        )
        self.shared = Visit(NOW - timedelta(hours=1), [(0, "page_viewed", {"path": "/"})], visitor_id=self.tablet)

    async def store(self, database: Database, project_id: UUID) -> None:
        async with database.transaction(project_id) as tx:
            for visit in (self.left, self.bought, self.shared):
                await store(tx, project_id, visit)
            await run(tx, project_id, self.left, "Win back", deliveries=[{"recipient": "ada@example.org"}])
            said = (
                (self.left, {"email": "ada@example.org"}),
                (self.bought, {"user_id": "customer-1842", "email": "ada@example.org", "phone": "+4917112345"}),
                (self.shared, {"user_id": "customer-1842"}),
                (self.shared, {"user_id": "customer-2000", "email": "bob@example.org"}),
                (self.shared, {"user_id": "customer-2000", "email": "ada@example.org"}),
            )
            for minute, (visit, props) in enumerate(said):
                await stitch(
                    tx,
                    project_id,
                    links_said(
                        visit.visitor_id,
                        props,
                        at=visit.started_at + timedelta(minutes=minute),
                        event_id=UUID(int=minute),
                        session_id=visit.id,
                    ),
                )
            await record_conversion(
                tx,
                project_id,
                self.phone,
                key="A-7",
                occurred_at=self.bought.at(-1),
                value_minor=1450,
                currency="EUR",
                now=NOW,
            )


@pytest.fixture
async def ada(shop: Shop, database: Database) -> Ada:
    ada = Ada()
    await ada.store(database, shop.project_id)
    return ada


async def test_every_device_shows_the_same_person_and_the_whole_trail(shop: Shop, ada: Ada) -> None:
    for visitor in (ada.laptop, ada.phone, ada.tablet):
        page = await shop.see(f"/visitors/{visitor}")
        said = text_of(page)
        assert "One person on 3 devices." in said
        assert "Visits 3 Orders 1 Messages 1" in said
        links = [f"/sessions/{visit.id}" for visit in (ada.shared, ada.bought, ada.left)]
        places = [page.index(f'id="v-{visit.id.hex}"') for visit in (ada.shared, ada.bought, ada.left)]
        assert places == sorted(places)
        assert all(link in page for link in links)


async def test_names_are_masked_everywhere_on_the_page(shop: Shop, ada: Ada) -> None:
    page = await shop.see(f"/visitors/{ada.phone}")
    names = section(page, "names")
    for shown in ("User id cu•••42", "E-mail a•••@example.org", "Phone +49•••45"):
        assert shown in names
    for secret in ("ada@example.org", "customer-1842", "customer-2000", "+4917112345", "bob@example.org"):
        assert secret not in page


async def test_what_was_refused_is_told_with_both_customers_and_the_visit(shop: Shop, ada: Ada) -> None:
    page = await shop.see(f"/visitors/{ada.laptop}")
    refused = section(page, "refused")
    assert "Two customers" in refused
    assert f"The visitor {ada.tablet.hex[-8:]} was said to go by the customer cu•••00" in refused
    assert "The customer cu•••00 was said to go by the address a•••@example.org" in refused
    assert "It would make one person of two customers. ( cu•••42 and cu•••00 )" in refused
    assert f"/sessions/{ada.shared.id}" in page.split('id="refused"')[1].split("</section>")[0]


async def test_a_visit_tells_its_moments_once_each(shop: Shop, ada: Ada) -> None:
    trail = section(await shop.see(f"/visitors/{ada.phone}"), "trail")
    assert trail.count("Morning mug") == 1
    assert "2 times" in trail
    assert "€14.50" in trail
    assert "Device 2" in trail


async def test_the_person_s_segments_and_tags_are_those_of_all_devices(
    shop: Shop, ada: Ada, database: Database
) -> None:
    assert "In no segment" in section(await shop.see(f"/visitors/{ada.laptop}"), "groups")
    async with database.transaction(shop.project_id) as tx:
        await create_segment(tx, shop.project_id, name="vip", description="", written=None, now=NOW)
        await add_visitor(tx, shop.project_id, "vip", ada.phone, NOW)
        await change_tags(tx, shop.project_id, ada.laptop, put_on=["asked-twice"], take_off=[], by="api", now=NOW)
    for device in (ada.laptop, ada.phone):
        told = section(await shop.see(f"/visitors/{device}"), "groups")
        assert "vip since" in told and "asked-twice" in told


async def test_messages_and_orders_say_on_which_device(shop: Shop, ada: Ada) -> None:
    page = await shop.see(f"/visitors/{ada.phone}")
    assert "after a visit on Device 1" in section(page, "messages")
    assert "€14.50 A-7" in section(page, "orders")
    assert "Device 2" in section(page, "orders")


async def test_the_session_page_leads_to_the_visitor_and_to_visits_on_other_devices(shop: Shop, ada: Ada) -> None:
    page = await shop.see(f"/sessions/{ada.bought.id}")
    assert f'href="/app/visitors/{ada.phone}"' in page
    others = section(page, "others")
    assert others.count("on another device") == 2
    assert "2 visits" not in others
    assert "Came before 1 visit" in text_of(page)


async def test_a_stranger_is_one_device_without_a_name(shop: Shop, database: Database) -> None:
    visit = Visit(NOW - timedelta(hours=2), [(0, "page_viewed", {"path": "/"})], open=True)
    async with database.transaction(shop.project_id) as tx:
        await store(tx, shop.project_id, visit)
    page = await shop.see(f"/visitors/{visit.visitor_id}")
    assert "Nobody has said who this is" in text_of(page)
    assert 'id="refused"' not in page
    assert "Still open" in section(page, "trail")


async def test_a_long_trail_comes_in_pages_that_miss_nothing(shop: Shop, database: Database) -> None:
    visitor = uuid4()
    visits = [
        Visit(NOW - timedelta(hours=n // 2), [(0, "page_viewed", {"path": f"/{n}"})], visitor_id=visitor)
        for n in range(VISITS_A_PAGE * 2 + 1)
    ]
    async with database.transaction(shop.project_id) as tx:
        for visit in visits:
            await store(tx, shop.project_id, visit)
    path, seen = f"/visitors/{visitor}", []
    for _ in range(3):
        page = await shop.see(path)
        seen += re.findall(r'id="v-([0-9a-f]{32})"', page)
        older = re.search(r'href="/app(/visitors/[^"]+)" rel="next"', page)
        path = unescape(older[1]) if older else ""
    assert path == ""
    assert sorted(seen) == sorted(visit.id.hex for visit in visits)


async def test_what_is_no_visitor_of_this_project_says_so(shop: Shop) -> None:
    assert "No such visitor" in await shop.see("/visitors/nobody", 404)
    assert "No such visitor" in await shop.see(f"/visitors/{uuid4()}", 404)


@pytest.fixture
async def base(app: FastAPI) -> AsyncIterator[str]:
    async with serving(app) as address:
        yield f"{address}/app"


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 768, 1280])
async def test_the_page_fits_every_width(shop: Shop, ada: Ada, base: str, browser: Browser, width: int) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 900})
    page = await context.new_page()
    await page.goto(f"{base}/login")
    await page.fill("#key", shop.key)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await page.goto(f"{base}/visitors/{ada.laptop}")
    assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    async with page.expect_navigation():
        await page.locator(".chapter h3 a").first.click()
    assert f"/sessions/{ada.shared.id}" in page.url
    await context.close()
