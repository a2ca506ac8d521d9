"""Segments in the viewer: made, tried, renamed, changed and removed by people, as the API lets programs."""

from __future__ import annotations

import re
from html import unescape
from uuid import uuid4

import pytest
from playwright.async_api import Browser, expect

from tests.api.conftest import Api, api
from tests.demo.serving import serving
from tests.segments.people import CART, close_visits, create, visit
from tests.viewer.conftest import Whole, hidden
from tests.viewer.person import Person, editor, reader

__all__ = ["api", "editor", "reader"]


async def names(api: Api) -> list[str]:
    listed = (await api.client.get("/v1/segments", headers=api.headers)).json()["segments"]
    return [one["name"] for one in listed]


async def test_a_segment_is_made_tried_changed_renamed_and_removed(api: Api, editor: Person) -> None:
    assert "No segment yet" in await editor.see("/segments")
    rich = await visit(api, ("cart_added", CART))
    await visit(api)
    tried = await editor.send("/segments", "/segments", do="try", name="", when="cart.value >= 50 EUR")
    assert tried.status_code == 200
    assert "<b>1</b> of 2 visitors examined" in tried.text
    assert f"/app/visitors/{rich}" in tried.text
    assert "cart.value >= 50 EUR</textarea>" in unescape(tried.text)
    assert await names(api) == []

    made = await editor.send("/segments", "/segments", name="rich", when="cart.value >= 50 EUR", description="Spenders")
    assert (made.status_code, made.headers["location"]) == (303, "/app/segments/rich?done=segment_made")
    await close_visits(api)
    listed = await editor.see("/segments")
    assert "cart.value >= 50.00 EUR" in listed and "Spenders" in listed
    assert re.search(r'data-label="Visitors">1<', listed)
    assert "<b>1</b> of 2 visitors examined" in await editor.see("/segments/rich?who=now")

    changed = await editor.send("/segments/rich", "/segments/rich", name="richer", when="cart.value >= 50 EUR")
    assert changed.headers["location"] == "/app/segments/richer?done=saved"
    assert "No such segment" in await editor.see("/segments/rich", 404)
    page = await editor.see("/segments/richer")
    assert "Spenders" not in page
    # Who was in it is in it still.
    assert re.search(r"Visitors at their last visit</dt><dd>1<", page)

    gone = await editor.send("/segments/richer", "/segments/richer/remove")
    assert gone.headers["location"] == "/app/segments?done=removed"
    assert await names(api) == []
    noted = (await api.client.get("/v1/audit?subject=segment", headers=api.headers)).json()["entries"]
    assert [(one["change"], one["actor_name"]) for one in noted] == [
        ("removed", "the editor"),
        ("changed", "the editor"),  # its name
        ("changed", "the editor"),
        ("made", "the editor"),
    ]


async def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_is_kept(editor: Person, api: Api) -> None:
    wrong = await editor.send(
        "/segments", "/segments", name="carts", when="cart.valu >= 50 EUR and visitor.sessions > 1"
    )
    text = unescape(wrong.text)
    assert wrong.status_code == 422
    assert 'id="when-p">There is no field cart.valu: did you mean cart.value?</span>' in text
    assert "cart.valu >= 50 EUR and visitor.sessions > 1</textarea>" in text
    assert 'value="carts"' in text
    assert re.search(r'<textarea id="when"[^>]* aria-invalid="true"[^>]* autofocus', wrong.text)
    nameless = unescape((await editor.send("/segments", "/segments", name="Big carts", when="cart.items > 0")).text)
    assert re.search(r'<input id="name"[^>]* aria-invalid="true"[^>]* autofocus', nameless)
    assert "a-z, 0-9, _ and -" in nameless
    await create(api, "taken", "cart.items > 0")
    taken = await editor.send("/segments", "/segments", name="taken", when="cart.items > 1")
    assert (taken.status_code, "There is a segment taken already" in taken.text) == (409, True)
    assert "/v1/" not in taken.text.split("<main")[1]
    assert await names(api) == ["taken"]


async def test_nobody_overwrites_another_in_silence(editor: Person, api: Api) -> None:
    made = await create(api, "carts", "cart.items > 0")
    page = (await editor.client.get("/app/segments/carts")).text
    token = hidden(page.split("</header>")[-1], "token")
    mine = {"token": token, "revision": hidden(page, "revision"), "name": "carts", "when": "cart.items > 2"}
    theirs = {"when": "cart.items > 5", "description": "theirs"}
    put = await api.client.put("/v1/segments/carts", headers={**api.headers, "if-match": made["etag"]}, json=theirs)
    assert put.status_code == 200
    refused = await editor.client.post("/app/segments/carts", data=mine)
    text = unescape(refused.text)
    assert refused.status_code == 412
    assert "cart.items > 2</textarea>" in text
    assert "Stored by now" in text and "cart.items > 5" in text and "theirs" in text
    # What is wrong otherwise does not make it forget that.
    still = await editor.client.post("/app/segments/carts", data=mine | {"when": "nonsense"})
    assert (still.status_code, hidden(still.text, "revision")) in ((422, "1"), (412, "2"))
    removed = await editor.client.post("/app/segments/carts/remove", data={"token": token, "revision": "1"})
    assert removed.status_code == 412
    # Who has seen it may.
    knowing = await editor.client.post(
        "/app/segments/carts", data=mine | {"revision": hidden(refused.text, "revision")}
    )
    assert knowing.status_code == 303


async def test_what_is_asked_about_is_neither_removed_nor_renamed(editor: Person, api: Api) -> None:
    await create(api, "carts", "cart.items > 0")
    await create(api, "best", 'visitor.segments has "carts" and visitor.purchases > 2')
    removed = await editor.send("/segments/carts", "/segments/carts/remove")
    assert (removed.status_code, "used by segment best" in removed.text) == (409, True)
    renamed = await editor.send("/segments/carts", "/segments/carts", name="baskets", when="cart.items > 0")
    text = unescape(renamed.text)
    assert renamed.status_code == 409
    assert 'id="name-p">The segment carts is asked about by that name in segment best.' in text
    assert await names(api) == ["best", "carts"]


async def test_a_reader_looks_and_changes_nothing(reader: Person, api: Api) -> None:
    await create(api, "carts", "cart.items > 0")
    page = await reader.see("/segments")
    assert "A new segment" not in page
    one = await reader.see("/segments/carts?who=now")
    assert "visitors examined" in one and "Change it" not in one
    token = hidden(page.split("</header>")[-1], "token") if 'name="token"' in page.split("</header>")[-1] else "x"
    for path in ("/segments", "/segments/carts", "/segments/carts/remove"):
        answer = await reader.client.post(f"/app{path}", data={"token": token, "name": "mine"})
        assert answer.status_code == 403, path
    assert await names(api) == ["carts"]


async def test_a_segment_that_went_meanwhile_is_told_so(editor: Person, api: Api) -> None:
    await create(api, "carts", "cart.items > 0")
    page = (await editor.client.get("/app/segments/carts")).text.split("</header>")[-1]
    await api.client.delete("/v1/segments/carts", headers=api.headers)
    sent = {"token": hidden(page, "token"), "revision": "1", "name": "carts", "when": "cart.items > 1"}
    answer = await editor.client.post("/app/segments/carts", data=sent)
    assert (answer.status_code, "There is no segment" in answer.text) == (404, True)
    assert "No such segment" in await editor.see(f"/segments/{uuid4()}", 404)


@pytest.mark.browser
async def test_after_a_refusal_the_keyboard_stands_in_the_faulty_field(whole: Whole, browser: Browser) -> None:
    async with serving(whole.app) as base:
        page = await browser.new_page(viewport={"width": 360, "height": 740}, reduced_motion="reduce")
        await page.goto(f"{base}/app/segments")
        await page.fill("#key", whole.key)
        await page.keyboard.press("Enter")
        await page.get_by_label("Name", exact=True).fill("lookers")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.type("session.page > 3")
        await page.get_by_role("button", name="Make it").press("Enter")
        await expect(page.get_by_label("Condition", exact=True)).to_be_focused()
        await expect(page.get_by_label("Condition", exact=True)).to_be_in_viewport()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        await page.keyboard.press("Control+A")
        await page.keyboard.type("session.pages > 3")
        await page.get_by_role("button", name="Whom would it cover?").press("Enter")
        await expect(page.locator("#tried")).to_be_in_viewport()
        await page.get_by_role("button", name="Make it").press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("lookers")
        await expect(page.get_by_role("status").first).to_contain_text("Made.")
        await page.close()
