"""The first page: today beside usual, what changed, what needs a human; every number leads to its visits."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from urllib.parse import urlencode
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import delete, func, select, update

from adapters.postgres.engine import Database
from flows.models import Conversion, Delivery
from insights.models import Session
from tests.patterns import shop as past
from tests.patterns.conftest import Lookers, lookers
from tests.viewer.conftest import Shop, log_in, viewer
from tests.viewer.seed import NOW, Keys
from tests.viewer.test_patterns_page import counted

__all__ = ["lookers"]


@pytest.fixture
async def shop(database: Database, project_id: UUID, keys: Keys, client: httpx.AsyncClient) -> Shop:
    """A project without a session, and someone logged in to it."""
    key = await keys.make(database, project_id)
    assert (await log_in(client, key)).status_code == 303
    return Shop(project_id, key, {}, client)


async def some_weeks(database: Database, shop: Shop) -> past.Weeks:
    weeks = past.Weeks(shop.project_id)
    weeks.page("/cart", rate=4, now=0.6, changed_hours=16, cart=2500).page("/", rate=3)
    weeks.page("/thanks", rate=1, kind="converted", reason="social_proof", otherwise="value_fit", share=0.5)
    await weeks.shifted(NOW - past.NOW).store(database)
    return weeks


async def test_before_the_first_visit_it_teaches(shop: Shop) -> None:
    page = await shop.see("/")
    assert "Waiting for the first visitor" in page
    assert "http://viewer.test/sdk/whyleft.js" in page


async def test_the_tag_to_paste_leads_where_the_operator_says(
    database: Database, project_id: UUID, keys: Keys, shop: Shop
) -> None:
    """Behind a proxy that speaks https for it, a request says nothing of that."""
    app = viewer(database, keys, public_url="https://why.example/")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://10.0.0.7:8321") as client:
        await log_in(client, shop.key)
        assert "https://why.example/sdk/whyleft.js" in (await client.get("/app/")).text


async def test_today_stands_beside_the_same_hours_of_the_days_before(database: Database, shop: Shop) -> None:
    weeks = await some_weeks(database, shop)
    midnight = NOW.replace(hour=0, minute=0, second=0)
    today = [row for row in weeks.rows if midnight <= row["at"] < NOW]
    usual = sum(
        midnight - timedelta(days=day) <= row["at"] < NOW - timedelta(days=day)
        for row in weeks.rows
        for day in range(1, 8)
    )
    page = await shop.see("/")
    assert f"<b>{len(today):,}</b>" in page and f"usually {usual / 7:,.0f}" in page
    bought = sum(row["kind"] == "converted" for row in today)
    assert f"<b>{100 * bought / len(today):.1f} %</b>" in page


async def test_days_without_visits_are_among_the_usual_ones_and_those_before_the_first_visit_are_not(
    database: Database, shop: Shop
) -> None:
    weeks = past.Weeks(shop.project_id)
    weeks.page("/", rate=1)
    await weeks.shifted(NOW - past.NOW).store(database)
    midnight, day = NOW.replace(hour=0, minute=0, second=0), timedelta(days=1)
    visits = 0
    async with database.transaction(shop.project_id) as tx:
        await tx.execute(delete(Session).where(Session.closed_at < midnight - 6 * day))
        for ago in (2, 3, 5):
            since = midnight - ago * day
            await tx.execute(delete(Session).where(Session.closed_at >= since, Session.closed_at < since + day))
        for ago in (1, 4, 6):
            in_time = (Session.closed_at >= midnight - ago * day, Session.closed_at < NOW - ago * day)
            visits += await tx.scalar(select(func.count()).where(*in_time)) or 0
    assert 0 < visits < 60
    assert f"usually {visits / 6:.1f}" in await shop.see("/")


async def test_on_the_first_day_nothing_is_called_usual(database: Database, shop: Shop) -> None:
    weeks = past.Weeks(shop.project_id)
    weeks.page("/", rate=3)
    await weeks.shifted(NOW - past.NOW).store(database)
    assert "beside the same hours" in (page := await shop.see("/")) and ">Usually<" in page
    async with database.transaction(shop.project_id) as tx:
        midnight = NOW.replace(hour=0, minute=0, second=0)
        await tx.execute(delete(Session).where(Session.closed_at < midnight))
    assert "beside the same hours" not in (page := await shop.see("/")) and "usual" not in page.lower()


async def test_orders_without_a_visit_are_told_beside_the_visits_that_bought(database: Database, shop: Shop) -> None:
    await some_weeks(database, shop)
    assert "without a visit" not in await shop.see("/")
    for count, words in ((1, "One order since midnight"), (2, "2 orders since midnight")):
        async with database.transaction(shop.project_id) as tx:
            for ago in (timedelta(minutes=5), timedelta(days=1)):
                order = {"key": str(uuid4()), "visitor_id": uuid4(), "session_id": uuid4()}
                tx.add(Conversion(project_id=shop.project_id, occurred_at=NOW - ago, **order))
        assert f"{words} without a visit" in await shop.see("/"), count


async def test_visits_of_bots_are_in_no_number_and_it_is_said(database: Database, shop: Shop) -> None:
    weeks = await some_weeks(database, shop)

    async def numbers() -> list[str]:
        pages = [(await shop.client.get(f"/app{path}")).text for path in ("/", "/reports", "/reports/mix.csv")]
        return [re.findall(r"<b>([^<]+)</b>", pages[0]), re.findall(r"[\d,]+ visits by reason", pages[1]), pages[2]]

    before = await numbers()
    assert "they are bots" not in await shop.see("/")
    crawled = past.Weeks(shop.project_id, seed=3)
    crawled.page("/", rate=5, share=1, reason="unclear", cart=900, bot=True)
    await crawled.shifted(NOW - past.NOW).store(database)
    assert await numbers() == before
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    count = sum(row["at"] >= midnight for row in crawled.rows)
    assert f"{count} visits since midnight by browsers that say they are bots" in await shop.see("/")
    (visits, *_) = re.findall(r'href="/app(/reports/sessions[^"]*)"', await shop.see("/"))
    assert await counted(shop, unescape(visits)) == sum(midnight <= row["at"] < NOW for row in weeks.rows)


async def test_every_number_leads_to_its_visits(database: Database, shop: Shop) -> None:
    weeks = await some_weeks(database, shop)
    midnight = NOW.replace(hour=0, minute=0, second=0)
    page = await shop.see("/")
    (visits, *_) = re.findall(r'href="/app(/reports/sessions[^"]*)"', page)
    assert await counted(shop, unescape(visits)) == sum(midnight <= row["at"] < NOW for row in weeks.rows)
    told = re.findall(r'href="/app(/reports/sessions[^"]*)" aria-label="[^,]+, (\d+) visits', page)
    assert len(told) == 4
    (carts,) = re.findall(r'href="/app(/reports/sessions[^"]*left_cart[^"]*)"', page)
    with_carts = [row for row in weeks.rows if midnight <= row["at"] < NOW and row.get("cart", 0) > 0]
    assert await counted(shop, unescape(carts)) == len(with_carts) > 0
    for link, number in told:
        assert await counted(shop, unescape(link)) == int(number)


async def test_visits_of_an_import_are_told_apart_and_carts_without_a_currency_count(
    database: Database, shop: Shop
) -> None:
    """A year that was imported stood there as the visits of a day, and its carts as nothing."""
    await some_weeks(database, shop)
    for page in ("/", "/reports"):
        assert "as in an import" not in await shop.see(page)
    async with database.transaction(shop.project_id) as tx:
        theirs = update(Session).where(Session.project_id == shop.project_id)
        await tx.execute(theirs.values(last_event_at=Session.closed_at - timedelta(days=90), currency=None))
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    link = urlencode({"kind": "abandoned", "since": midnight.isoformat(), "until": NOW.isoformat(), "left_cart": "yes"})
    assert await counted(shop, f"/reports/sessions?{link}") > 0
    page = re.sub(r"<[^>]+>|\s+", " ", await shop.see("/"))
    assert "of these visits were over long before they were told of, as in an import" in page
    assert not re.search(r"Left in carts +nothing", page) and re.search(r"Left in carts +[\d,]+\.\d\d", page)
    report = re.sub(r"<[^>]+>|\s+", " ", await shop.see("/reports"))
    (late,) = re.findall(r"([\d,]+) of these visits were over", report)
    assert f"{late} visits by reason" in report


async def test_days_that_end_today_do_not_read_as_hours(shop: Shop) -> None:
    """From the ninth to 17:17 was read as the hours of one day."""
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    for since, said in ((midnight, "00:00 to "), (midnight - timedelta(days=13), " 00:00 to today ")):
        asked = urlencode({"since": since.isoformat(), "until": NOW.isoformat()})
        page = re.sub("<[^>]+>", "", await shop.see(f"/reports/sessions?{asked}"))
        assert f"{said}{NOW:%H:%M}." in page


async def test_what_changed_is_there_and_what_is_unusual_says_so(
    database: Database, shop: Shop, lookers: Lookers
) -> None:
    await some_weeks(database, shop)
    assert "Nothing beyond chance" in await shop.see("/")
    await lookers(NOW).look(shop.project_id)
    page = await shop.see("/")
    assert re.search(r'/app/patterns/[0-9a-f-]{36}"><bdi>Technical error up from', page)
    assert 'class="tag bad">more' in page


@pytest.mark.parametrize(("yesterday", "said"), [(20, False), (400, True)])
async def test_what_is_unusual_beside_few_visits_may_be_chance(
    database: Database, shop: Shop, yesterday: int, said: bool
) -> None:
    weeks = past.Weeks(shop.project_id)
    weeks.page("/cart", rate=400, since_hours=2)
    some = weeks.rows[: yesterday + 20]
    for number, row in enumerate(some):
        today = number < 20
        # Nine of twenty today, and a fifth of those before.
        hit = number < 9 if today else number % 5 == 0
        row["at"] = past.NOW - timedelta(hours=1 if today else 25)
        row["reason"] = "technical_error" if hit else "distraction"
    weeks.rows = some
    await weeks.shifted(NOW - past.NOW).store(database)
    assert ('class="tag bad">more' in await shop.see("/")) is said


async def test_what_only_a_human_can_settle_comes_first(database: Database, shop: Shop) -> None:
    await some_weeks(database, shop)
    assert "Needs you" not in await shop.see("/")
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
                dedupe_key="one",
                content={},
                status="unknown",
                attempts=1,
                created_at=NOW,
            )
        )
    page = await shop.see("/")
    assert "Needs you" in page and "1 message may or may not have gone out." in page
    assert page.index("Needs you") < page.index('class="tiles"')


async def test_lift_that_cannot_be_told_yet_is_not_a_number(database: Database, shop: Shop) -> None:
    await some_weeks(database, shop)
    page = await shop.see("/")
    assert re.search(r'href="/app/lift"><span class="label">Lift so far</span><b>(too early|…)</b>', page)
