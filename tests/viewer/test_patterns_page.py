"""Patterns and reports on pages: numbers lead to their sessions, exports say the same, mails are scheduled."""

from __future__ import annotations

import csv
import io
import re
from html import unescape
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from adapters.postgres.engine import Database
from insights.models import Pattern, Subscription
from tests.patterns import shop as past
from tests.patterns.conftest import Lookers, lookers
from tests.viewer.conftest import Shop, hidden, log_in
from tests.viewer.seed import NOW, Keys

__all__ = ["lookers"]


@pytest.fixture
async def shop(database: Database, project_id: UUID, keys: Keys, client: httpx.AsyncClient) -> Shop:
    """A project without a session, and someone logged in to it."""
    key = await keys.make(database, project_id)
    assert (await log_in(client, key)).status_code == 303
    return Shop(project_id, key, {}, client)


async def broken_cart(database: Database, shop: Shop, lookers: Lookers) -> Pattern:
    weeks = past.Weeks(shop.project_id)
    weeks.page("/cart", rate=4, now=0.6, changed_hours=16, cart=2500, product="moka-pot").page("/", rate=4)
    weeks.page("/thanks", rate=1, kind="converted", reason="social_proof", otherwise="value_fit", share=0.5)
    for row in weeks.rows:
        row["at"] += NOW - past.NOW
    await weeks.store(database)
    looked = await lookers(NOW).look(shop.project_id)
    assert looked is not None
    async with database.transaction(shop.project_id) as tx:
        row = await tx.scalar(select(Pattern).where(Pattern.project_id == shop.project_id))
    assert row is not None
    return row


def links(page: str, path: str) -> list[str]:
    return [unescape(one) for one in re.findall(rf'href="/app({path}[^"]*)"', page)]


async def counted(shop: Shop, link: str) -> int:
    """How many sessions a link leads to, over all pages of its list."""
    total = 0
    while True:
        page = await shop.see(link)
        total += page.count('class="row-link"')
        following = [unescape(one) for one in re.findall(r'href="/app([^"]*)" rel="next"', page)]
        if not following:
            return total
        link = following[0]


async def test_before_anything_was_found_the_page_teaches(shop: Shop) -> None:
    assert "Nobody has looked yet" in await shop.see("/patterns")
    assert "No such pattern" in await shop.see(f"/patterns/{UUID(int=5)}", 404)
    assert "No such pattern" in await shop.see("/patterns/nonsense", 404)


async def test_a_pattern_is_listed_and_leads_to_its_sessions(database: Database, shop: Shop, lookers: Lookers) -> None:
    row = await broken_cart(database, shop, lookers)
    listed = await shop.see("/patterns")
    assert f"/app/patterns/{row.id}" in listed and "Technical error up from" in listed
    page = await shop.see(f"/patterns/{row.id}")
    assert "Fix" not in page and "Open one ticket" in page
    (link, *_) = links(page, "/reports/sessions")
    assert await counted(shop, link) == row.sessions
    assert page.count('class="row-link"') == 10
    assert 'class="band-of r-technical_error"' in page
    assert "Nothing has changed" in await shop.see("/patterns?show=over")


async def test_every_number_of_a_report_is_a_link_to_as_many_sessions(
    database: Database, shop: Shop, lookers: Lookers
) -> None:
    await broken_cart(database, shop, lookers)
    page = await shop.see("/reports?dimension=page&name=/cart&days=7")
    told = re.findall(r'<a href="/app(/reports/sessions[^"]*)" aria-label="([\d,]+) visits: ([^"]+)">', page)
    assert {name for _, _, name in told} >= {"Technical error", "Distraction", "/cart"}
    for link, number, _ in told:
        assert await counted(shop, unescape(link)) == int(number.replace(",", ""))


async def test_drilling_down_and_looking_at_who_bought(database: Database, shop: Shop, lookers: Lookers) -> None:
    await broken_cart(database, shop, lookers)
    assert "moka-pot" in await shop.see("/reports?by=product")
    assert "AT" in await shop.see("/reports?by=country")
    bought = await shop.see("/reports?kind=converted")
    assert "Social proof" in bought and "Technical error" not in bought.split("h-mails")[0].split("<form")[-1]
    assert "No visit in this time" in await shop.see("/reports?dimension=page&name=/nowhere")


async def test_a_change_date_compares_before_and_after(database: Database, shop: Shop, lookers: Lookers) -> None:
    await broken_cart(database, shop, lookers)
    page = await shop.see("/reports?dimension=page&name=/cart&split=2026-11-21")
    assert "Before 21 Nov" in page and re.search(r"<b>\+\d\d</b> \(\+\d\d to \+\d\d\)", page)
    assert "no visits on one side" in await shop.see("/reports?split=2020-01-01")


async def test_the_report_is_saved_as_csv_and_svg(database: Database, shop: Shop, lookers: Lookers) -> None:
    await broken_cart(database, shop, lookers)
    answer = await shop.client.get("/app/reports/mix.csv?days=7")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len({row["day"] for row in rows}) == 7
    today = [row for row in rows if row["day"] == "2026-11-21"]
    assert sum(int(row["sessions"]) for row in today) == int(today[0]["of"])
    svg = await shop.client.get("/app/reports/mix.svg")
    assert svg.headers["content-type"].startswith("image/svg+xml") and svg.text.startswith("<svg ")
    assert "attachment" in svg.headers["content-disposition"] and "<a " not in svg.text


async def test_mails_are_scheduled_and_ended(database: Database, shop: Shop) -> None:
    page = await shop.see("/reports")
    token = hidden(page.split("/reports/subscribe", 1)[1], "token")
    form = {"token": token, "address": "owner@shop.example", "report": "weekly"}
    assert (await shop.client.post("/app/reports/subscribe", data=form)).status_code == 303
    refused = await shop.client.post("/app/reports/subscribe", data=form | {"address": "nonsense"})
    assert refused.status_code == 400 and "Nobody was subscribed" in refused.text
    assert (await shop.client.post("/app/reports/subscribe", data=form | {"token": "x"})).status_code == 403
    async with database.transaction(shop.project_id) as tx:
        row = await tx.scalar(select(Subscription).where(Subscription.project_id == shop.project_id))
    assert row is not None and (row.report, row.patterns) == ("weekly", True)
    assert "owner@shop.example" in await shop.see("/reports")
    ended = await shop.client.post("/app/reports/unsubscribe", data={"token": token, "subscription": str(row.id)})
    assert ended.status_code == 303
    assert "owner@shop.example" not in await shop.see("/reports")


@pytest.mark.parametrize(
    "query",
    ["?days=nonsense&kind=x&dimension=y&split=31-31-31", "?dimension=page&name=%00%ff", "?since=0001-01-01&until=x"],
)
async def test_odd_questions_are_answered_as_usual(shop: Shop, query: str) -> None:
    for path in ("/reports", "/reports/sessions", "/reports/mix.csv"):
        assert (await shop.client.get(f"/app{path}{query}")).status_code == 200


async def test_strangers_are_sent_to_the_login(client: httpx.AsyncClient) -> None:
    for path in ("/patterns", "/reports", "/reports/sessions", "/reports/mix.csv", "/reports/mix.svg"):
        assert (await client.get(f"/app{path}")).status_code == 303
