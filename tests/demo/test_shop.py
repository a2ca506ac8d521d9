"""The pages of the demo shop: one tag, a strict policy, a whole catalogue, and nothing from elsewhere."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from insights.shipped import shipped
from tests.demo.shopping import API, shop_at, visitor


@pytest.mark.parametrize(
    "path", ["/", "/?category=beans", "/?q=kettle", "/product/moka-pot", "/cart", "/checkout", "/returns", "/break"]
)
async def test_every_page_loads_the_sdk_by_one_tag_and_a_strict_policy(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)
    assert page.status_code == 200
    tag = f'<script async src="{API}/sdk/whyleft.js" data-key="wk_&#34;test"></script>'
    assert page.text.count(tag) == 1
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert f"script-src 'self' {API};" in policy
    assert f"connect-src 'self' {API};" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=", page.text), "the policy would block this"


async def test_every_product_has_a_page_a_picture_and_reviews(client: httpx.AsyncClient) -> None:
    home = (await client.get("/")).text
    products = sorted(set(re.findall(r'href="/product/([a-z-]+)"', home)))
    assert len(products) == 12
    for product in products:
        page = await client.get(f"/product/{product}")
        assert page.status_code == 200
        assert 'data-section="reviews"' in page.text
        assert "/returns" in page.text
        picture = await client.get(f"/pictures/{product}.svg")
        assert picture.headers["content-type"] == "image/svg+xml"


async def test_whatever_a_page_asks_for_comes_from_the_shop_and_exists(client: httpx.AsyncClient) -> None:
    seen: set[str] = set()
    for path in ("/", "/product/moka-pot", "/cart", "/checkout", "/break", "/nothing-here"):
        page = (await client.get(path)).text.replace(f"{API}/sdk/whyleft.js", "")
        seen |= set(re.findall(r'(?:src|href)="([^"#?]+)"', page))
    assert not [address for address in seen if "//" in address]
    for address in seen:
        assert (await client.get(address)).status_code == 200, address
    for script in (shipped("shop") / "assets" / "js").glob("*.js"):
        for imported in re.findall(r'from "\./(.+?)"', script.read_text()):
            assert (await client.get(f"/assets/js/{imported}")).status_code == 200, f"{script.name}: {imported}"


async def test_the_catalogue_filters_and_searches(client: httpx.AsyncClient) -> None:
    assert (await client.get("/?category=cups")).text.count("data-add-to-cart") == 3
    found = (await client.get("/?q=GREEN%20kettle")).text
    assert 'data-results="0"' in found
    found = (await client.get("/?q=gooseneck&category=tools")).text
    assert 'data-results="1"' in found
    assert (await client.get("/?category=shoes")).status_code == 404
    assert (await client.get("/product/shoe")).status_code == 404


async def test_what_was_searched_for_is_shown_as_text(client: httpx.AsyncClient) -> None:
    page = (await client.get("/", params={"q": '"><script>alert(1)</script>'})).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


async def test_the_footer_leads_to_the_viewer_and_the_inbox_where_there_are_any() -> None:
    async with visitor(shop_at()) as client:
        page = (await client.get("/")).text
    assert "Open the viewer" not in page
    assert "Break it on purpose" in page
    async with visitor(shop_at(inbox_url="http://127.0.0.1:1/", viewer_url="http://127.0.0.1:2/app")) as client:
        page = (await client.get("/")).text
    assert '<a href="http://127.0.0.1:2/app">Open the viewer</a>' in page
    assert '<a href="http://127.0.0.1:1/">Open the inbox</a>' in page


@pytest.mark.parametrize("address", ["127.0.0.1:8080", "ftp://127.0.0.1", "", "http://"])
def test_a_server_address_that_is_none_is_named(address: str) -> None:
    with pytest.raises(ValueError, match="write it like http"):
        shop_at(address)


def test_the_secret_key_never_reaches_a_page() -> None:
    for page in (shipped("shop") / "pages").glob("*.html"):
        assert "secret" not in page.read_text()


def test_the_switches_of_the_page_are_the_ones_the_server_knows() -> None:
    folder = shipped("shop")
    known = re.search(r"const KNOWN = (\[.*?\]);", (folder / "assets/js/broken.js").read_text())
    assert known is not None
    offered = re.findall(r'switch\("([a-z-]+)"', (folder / "pages/break.html").read_text())
    assert offered == json.loads(known[1])
