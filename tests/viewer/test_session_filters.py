"""Filters of the list of sessions: each shows and counts the same, and what cannot be read does no harm."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qs, quote, urlsplit
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from starlette.types import Message

from adapters.postgres.engine import Database
from insights.models import Event
from insights.viewer.filters import Filters, read_request
from tests.viewer.conftest import Shop
from tests.viewer.seed import NOW, Visit, store
from tests.viewer.session_lists import everything, listed, total


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("reason=technical_error", ["broken"]),
        ("reason=none&state=closed", ["waiting"]),
        ("reason=none&state=open", ["open"]),
        ("action=free_shipping_banner", ["broken"]),
        ("action=do_nothing", ["broken"]),
        ("action=discount_popup", []),
        ("text=ada%40example.org", ["broken", "again"]),
        ("text=ADA%40EXAMPLE.ORG&reason=technical_error", ["broken"]),
        ("text=payment+failed", ["broken"]),
        ("text=50%25", []),
        ("text=_", []),
        ("left_cart=yes", ["broken"]),
        ("stage=high_intent", ["broken"]),
        ("page=/check*", None),
        ("page=/nowhere", []),
        ("page=*&text=ada%40example.org&when=1d", ["broken", "again"]),
        ("purchased=yes&text=grace%40example.org", ["buyer"]),
        ("purchased=no&text=grace%40example.org", []),
        ("reason=clear_cta&kind=abandoned", []),
    ],
)
async def test_a_filter_shows_those_sessions_and_counts_the_same(
    shop: Shop, query: str, names: list[str] | None
) -> None:
    page = await shop.see(f"/sessions?{query}")
    found = await everything(shop, f"?{query}")
    assert len(found) == total(page)
    if names is not None:
        assert found == [shop.visits[name].id for name in names if name in shop.visits]
    if not found:
        assert "No session matches" in page


async def test_only_a_star_stands_for_anything_in_a_page(shop: Shop, database: Database) -> None:
    paths = ["/a_b", "/axb", "/50%off", "/50xoff", "/back\\slash"]
    visits = [Visit(NOW - timedelta(days=50), [(0, "page_viewed", {"path": path})]) for path in paths]
    async with database.transaction(shop.project_id) as tx:
        for visit in visits:
            await store(tx, shop.project_id, visit)
    by_path = {path: visit.id for path, visit in zip(paths, visits, strict=True)}
    for asked, found in [
        ("/a_b", ["/a_b"]),
        ("/50%off", ["/50%off"]),
        ("/back\\slash", ["/back\\slash"]),
        ("/a*b", ["/a_b", "/axb"]),
        ("/50*", ["/50%off", "/50xoff"]),
    ]:
        page = await shop.see(f"/sessions?page={quote(asked)}")
        assert set(listed(page)) == {by_path[path] for path in found}, asked
        if "*" not in asked:
            assert set(listed(await shop.see(f"/sessions?text={quote(asked)}"))) == {by_path[path] for path in found}


async def test_carts_in_several_currencies_stand_side_by_side(shop: Shop, database: Database) -> None:
    for currency, price in (("USD", 12_000), ("JPY", 900), ("KWD", 1_250)):
        cart = {"product_id": "p", "price_minor": price, "currency": currency}
        visit = Visit(NOW - timedelta(days=3), [(0, "cart_added", cart)], reason="technical_error")
        async with database.transaction(shop.project_id) as tx:
            await store(tx, shop.project_id, visit)
    page = await shop.see("/sessions?reason=technical_error")
    assert total(page) == 4
    assert "Technical error: 4 (100 %)" in page
    assert "$120.00 + €69.00 + KWD 1.250 + ¥900" in page


async def test_the_share_of_a_reason_is_of_those_who_left_as_on_the_page_of_reports(shop: Shop) -> None:
    lists, reports = await shop.see("/sessions?when=30d"), await shop.see("/reports?days=30")
    legend = lists.split("Why they left</h3>")[1].split("</ul>")[0]
    shown = dict(re.findall(r"</svg>([^<]+) <b>[\d,]+</b> <span[^>]*>([^<]+)</span>", legend))
    table = reports.split("visits by reason")[1].split("</table>")[0]
    told = dict(re.findall(r"</svg>([^<]+?)</span>.*?<b>([^<]+ %)</b>", table, re.DOTALL))
    assert shown == told
    assert len(shown) > 1


async def test_a_page_in_a_script_from_right_to_left_reads_from_left_to_right(shop: Shop, database: Database) -> None:
    visit = Visit(NOW - timedelta(minutes=50), [(0, "page_viewed", {"path": "/محصول/p-1"})], reason="unclear")
    async with database.transaction(shop.project_id) as tx:
        await store(tx, shop.project_id, visit)
    for page in ("/sessions", "/reports", f"/sessions/{visit.id}"):
        assert '<bdi dir="ltr">/محصول/p-1</bdi>' in (await shop.see(page)).replace(' class="path"', ""), page


async def test_an_id_or_its_end_finds_the_session(shop: Shop) -> None:
    visit = shop.visits["buyer"]
    for text in (str(visit.id), visit.id.hex[-8:], str(visit.visitor_id), visit.visitor_id.hex[-8:].upper()):
        assert listed(await shop.see(f"/sessions?text={text}")) == [visit.id]


async def test_a_visitor_leads_to_all_their_sessions(shop: Shop) -> None:
    page = await shop.see(f"/sessions?visitor={shop.visits['broken'].visitor_id}")
    assert listed(page) == [shop.visits["broken"].id, shop.visits["again"].id]


async def test_every_number_leads_to_as_many_sessions(shop: Shop) -> None:
    page = await shop.see("/sessions")
    numbers = re.findall(r'<a href="/app(/sessions[^"]*)"><b>([\d,]+)</b>', page)
    legend = re.findall(r'<li><a href="/app(/sessions[^"]*)"[^>]*>.*?<b>([\d,]+)</b>', page)
    assert len(numbers) == 4
    assert len(legend) == 15
    for link, count in numbers + legend:
        behind = await shop.see(unescape(link))
        assert total(behind) == int(count), link
    assert sum(int(count) for _, count in legend) == total(page)


async def test_the_bar_adds_up_and_says_what_it_shows(shop: Shop) -> None:
    page = await shop.see("/sessions")
    bars = re.findall(r'<rect class="r-(\w+)" x="([\d.]+)" width="([\d.]+)"', page)
    assert len(bars) == 15
    ends = [float(x) + float(width) for _, x, width in bars]
    assert all(float(x) >= end for (_, x, _), end in zip(bars[1:], ends, strict=False))
    assert 990 < ends[-1] <= 1001
    assert "Technical error: 1 (2 %)" in page


async def test_filters_survive_in_the_form_and_each_can_be_taken_off(shop: Shop) -> None:
    page = await shop.see("/sessions?reason=technical_error&page=/checkout&text=ada")
    assert '<option value="technical_error" selected>' in page
    assert 'name="page" value="/checkout"' in page
    without = re.findall(r'<a class="chip" href="/app/sessions([^"]*)"', page)
    assert len(without) == 3
    assert sorted(len(parse_qs(urlsplit(unescape(link)).query)) for link in without) == [2, 2, 2]


async def test_what_cannot_be_read_is_left_out_and_said(shop: Shop) -> None:
    page = unescape(await shop.see("/sessions?reason=love&stage=&visitor=42&after=soon&purchased=maybe&text=%00"))
    assert total(page) == 50
    for text in (
        "“love” is not one of its choices",
        "it is no visitor id",
        "“maybe” is not one of its choices",
        "control characters",
        "That page of the list is not known",
    ):
        assert text in page


_NAMES = st.sampled_from(
    ["reason", "kind", "state", "page", "stage", "action", "purchased", "left_cart", "when", "visitor", "text", "after",
     "before", "events", ""]
)  # fmt: skip
_ODD = st.one_of(
    st.text(max_size=60),
    st.binary(max_size=40).map(lambda raw: raw.decode("latin-1")),
    st.sampled_from(
        ["none", "open", "\x00", "%", "_", "\\", "*" * 300, "'; DROP TABLE session; --", "9" * 400, "-1", "NaN",
         "0.00000000000000000000000000000000", "999999999999999999." + "f" * 32, "-99999999999999999." + "0" * 32,
         "253402300799999999." + "f" * 32, "253402300800000000." + "f" * 32, "\ud800", "\u202e"]
    ),
)  # fmt: skip


@given(pairs=st.lists(st.tuples(_NAMES, _ODD), max_size=5))
def test_no_query_string_confuses_the_reader(pairs: list[tuple[str, str]]) -> None:
    asked = read_request(dict(pairs))
    for note in asked.notes:
        assert len(note) < 200
    text = asked.filters.query()
    again = read_request({name: values[0] for name, values in parse_qs(text.removeprefix("?")).items()})
    assert again.filters == asked.filters


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(_NAMES, _ODD), min_size=1, max_size=4))
async def test_odd_filters_never_break_the_page(shop: Shop, pairs: list[tuple[str, str]]) -> None:
    query = "&".join(f"{name}={quote(value, errors='surrogatepass')}" for name, value in pairs)
    assert "</html>" in await shop.see(f"/sessions?{query}")


@pytest.mark.parametrize("query", [b"\xff\xfe", b"text=\xe9", b"text=%ff%fe%ed%a0%80", b"&&&=&;", b"text=a&text=b"])
async def test_raw_bytes_in_the_address_are_no_harm(shop: Shop, app: FastAPI, query: bytes) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in shop.client.cookies.items())
    assert await _status_of(app, query, cookie) == 200
    assert await _status_of(app, query, "") == 303


async def _status_of(app: FastAPI, query: bytes, cookie: str) -> int:
    """Asks for the list with bytes in the address that no HTTP library of ours would send."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/app/sessions",
        "raw_path": b"/app/sessions",
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"viewer.test"), (b"cookie", cookie.encode())],
        "client": ("127.0.0.1", 1),
        "server": ("viewer.test", 80),
    }
    await app(scope, receive, send)
    return int(sent[0]["status"])


def test_filters_read_what_they_wrote() -> None:
    filters = Filters(page="/a b/ü&x=1#y", text='100 % "sure"', purchased=False, left_cart=True)
    assert read_request({k: v[0] for k, v in parse_qs(filters.query()[1:]).items()}).filters == filters


async def test_pages_are_found_by_what_the_sessions_row_keeps(shop: Shop, database: Database, project_id: UUID) -> None:
    """Of a closed session the events are not looked at: it stays found when they are gone."""
    broken, opened = shop.visits["broken"], shop.visits["open"]
    async with database.transaction(project_id) as tx:
        await tx.execute(delete(Event).where(Event.session_id == broken.id, Event.type == "page_viewed"))
    assert await everything(shop, "?page=/cart") == [broken.id]
    assert await everything(shop, "?page=/ca*") == [broken.id]
    assert await everything(shop, "?page=*art&text=ada@example.org") == [broken.id]
    assert await everything(shop, "?page=/p*t/ke*e&reason=technical_error") == [broken.id]
    assert await everything(shop, "?page=/c.rt") == []
    assert await everything(shop, "?page=/c_rt") == []
    assert await everything(shop, "?page=cart") == []
    assert await everything(shop, "?page=/returns&state=open") == [opened.id]


async def test_sessions_are_found_by_source_device_and_flow(shop: Shop, database: Database, project_id: UUID) -> None:
    broken = shop.visits["broken"]
    assert await everything(shop, "?source=newsletter&device=desktop") == [broken.id]
    assert await everything(shop, "?device=phone") == []
    assert "is not one of its choices" in await shop.see("/sessions?device=fridge")
    page = await shop.see("/sessions")
    flows = dict(re.findall(r'<option value="([0-9a-f-]{36})">([^<]+)</option>', page))
    assert sorted(flows.values()) == ["mail-when-fixed", "technical-error-ticket"]
    for flow, name in flows.items():
        found = await shop.see(f"/sessions?flow={flow}")
        assert listed(found) == [broken.id]
        assert f"Flow: {name}" in found
    assert await everything(shop, f"?flow={uuid4()}") == []
