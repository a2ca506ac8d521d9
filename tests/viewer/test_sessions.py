"""The list of sessions: order, pages, rows, saved views."""

from __future__ import annotations

import re
from datetime import timedelta
from html import escape
from uuid import UUID

import pytest

from adapters.postgres.engine import Database
from insights.viewer.filters import Filters
from insights.viewer.reading import Reader
from insights.viewer.session_list import read_page
from tests.viewer.conftest import Shop
from tests.viewer.seed import NOW, store
from tests.viewer.seed import browser as browser_visit
from tests.viewer.session_lists import everything, listed, total


async def test_sessions_come_newest_first_each_once_over_all_pages(shop: Shop) -> None:
    first = await shop.see("/sessions")
    assert len(listed(first)) == 50
    found = await everything(shop)
    assert len(found) == len(set(found)) == total(first) == 50
    assert found[0] == shop.visits["open"].id


async def test_pages_walk_forth_and_back_the_same_way(shop: Shop, database: Database) -> None:
    filters = Filters()
    async with Reader(database).reading(shop.project_id) as tx:
        forth = [await read_page(tx, shop.project_id, filters, None, NOW, size=7)]
        while forth[-1].older is not None:
            forth.append(await read_page(tx, shop.project_id, filters, forth[-1].older, NOW, size=7))
        back = [forth[-1]]
        while back[-1].newer is not None:
            back.append(await read_page(tx, shop.project_id, filters, back[-1].newer, NOW, size=7))
    assert [len(page.rows) for page in forth] == [7] * 7 + [1]
    assert back == forth[::-1]
    assert forth[0].newer is None


async def test_sessions_that_began_together_are_neither_lost_nor_doubled(
    shop: Shop, database: Database, project_id: UUID
) -> None:
    twins = [browser_visit(NOW - timedelta(days=40), reason="unclear") for _ in range(5)]
    async with database.transaction(project_id) as tx:
        for twin in twins:
            await store(tx, project_id, twin)
    asked, found = None, []
    async with Reader(database).reading(project_id) as tx:
        while True:
            page = await read_page(tx, project_id, Filters(), asked, NOW, size=2)
            found += [row.id for row in page.rows]
            if page.older is None:
                break
            asked = page.older
    assert found[-5:] == sorted(twin.id for twin in twins)
    assert len(found) == len(set(found)) == 55


async def test_a_page_link_may_be_opened_again_and_leads_to_the_end(shop: Shop) -> None:
    beyond = await shop.see("/sessions?after=0." + "f" * 32)
    assert "The list ends here" in beyond
    assert total(beyond) == 50


async def test_a_row_says_who_where_and_why(shop: Shop) -> None:
    page = await shop.see("/sessions?page=/checkout&kind=abandoned")
    assert listed(page) == [shop.visits["broken"].id]
    for text in ("a•••@example.org", "/checkout", "€69.00", "Technical error", "93 %", "27 events", "5 problems"):
        assert text in page
    assert "Free shipping banner" in page.split("<tbody")[1]


async def test_an_open_session_is_counted_from_its_events(shop: Shop) -> None:
    page = await shop.see("/sessions?state=open")
    assert listed(page) == [shop.visits["open"].id]
    row = page.split("<tbody")[1]
    assert "Still open" in row
    assert "/returns" in row
    assert "7 events" in row


async def test_a_view_is_saved_opened_and_deleted(shop: Shop) -> None:
    query = "?reason=technical_error&page=/cart"
    page = await shop.see(f"/sessions{query}")
    assert "Save this view" in page
    token = re.search(r'action="/app/views"><input type="hidden" name="token" value="([^"]+)"', page)[1]  # type: ignore[index]
    form = {"token": token, "query": query, "name": "  Broken   carts <b> "}
    answer = await shop.client.post("/app/views", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/app/sessions{query}")
    page = await shop.see("/sessions")
    assert f'href="/app/sessions{escape(query)}"><bdi>Broken carts &lt;b&gt;</bdi>' in page
    again = await shop.client.post("/app/views", data=form)
    assert again.headers["location"] == f"/app/sessions{query}"
    other = await shop.client.post("/app/views", data=form | {"query": "?reason=unclear"})
    assert (other.status_code, "Choose another name" in other.text) == (409, True)
    page = await shop.see(f"/sessions{query}")
    assert page.count("Broken carts") == 2, "the chip, and the button that deletes it"
    where = re.search(r'action="/app(/views/[^"]+/delete)"', page)[1]  # type: ignore[index]
    assert (await shop.client.post(f"/app{where}", data={"token": token})).status_code == 303
    assert "Broken carts" not in await shop.see("/sessions")
    gone = await shop.client.post(f"/app{where}", data={"token": token})
    assert gone.status_code == 404


@pytest.mark.parametrize(
    ("name", "query", "said"),
    [("", "?reason=unclear", "a name"), ("x" * 61, "?reason=unclear", "a name"), ("All", "?nothing=1", "Nothing is")],
)
async def test_a_view_that_keeps_nothing_is_refused(shop: Shop, name: str, query: str, said: str) -> None:
    page = await shop.see("/sessions?reason=unclear")
    token = re.search(r'action="/app/views"><input type="hidden" name="token" value="([^"]+)"', page)[1]  # type: ignore[index]
    answer = await shop.client.post("/app/views", data={"token": token, "name": name, "query": query})
    assert answer.status_code == 400
    assert said in answer.text


async def test_names_of_people_are_masked_in_the_list(shop: Shop) -> None:
    page = await shop.see("/sessions")
    assert "a•••@example.org" in page
    assert "ada@example.org" not in page
    assert len(await everything(shop, "?text=ada@example.org")) == 2, "and are found by their whole name"
