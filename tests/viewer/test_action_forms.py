"""Live actions that people write: made, seen before they are kept, changed, switched off and on, removed."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from playwright.async_api import Browser, expect
from sqlalchemy import update

from insights.access.roles import Role
from insights.models import ApiKey
from insights.viewer.action_form import KINDS, LABELS, begun, body_of, called, shown
from tests.api.conftest import Api, api
from tests.demo.serving import serving
from tests.viewer.conftest import Whole, hidden
from tests.viewer.person import Person, editor, reader

__all__ = ["api", "editor", "reader"]

LONG = {"percent": "1" * 5_000, "look": "1" * 5_000, f"language.{'1' * 5_000}": "de"}
"""Numbers that Python does not read."""
SHOP = {"currency": "EUR", "margin_rate": 0.35}


async def with_margin(api: Api) -> None:
    assert (await api.client.patch("/v1/shop", headers=api.headers, json=SHOP)).status_code == 200


async def listed(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.client.get("/v1/live-actions", headers=api.headers)).json()["live_actions"]
    return found


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_begins_with_a_form_that_is_taken_as_it_stands(api: Api, editor: Person, kind: str) -> None:
    await with_margin(api)
    assert "A new live action" in await editor.see(f"/actions/new?kind={kind}")
    made = await editor.send("/actions/new", "/actions/new", **begun(kind), name=f"our {kind}")
    assert made.status_code == 303, unescape(made.text).split("<main")[1][:600]
    [entry] = await listed(api)
    assert (entry["name"], entry["action"], entry["enabled"]) == (f"our {kind}", kind, True)
    assert f"/app/actions/{entry['id']}?done=action_made" == made.headers["location"]


def test_what_is_stored_stands_in_the_form_and_goes_back_unchanged() -> None:
    body = {
        "name": "ten", "action": "discount_popup", "template": "popup", "group": "g", "priority": 95, "enabled": True,
        "stages": ["cart_adder"], "when": "cart.value >= 40.00 EUR", "per_visitor_week": 2,
        "starts_at": "2026-11-22T10:00Z", "ends_at": "2026-12-01T23:59:30Z",
        "content": {"default": {"title": "a", "body": "{code}"}, "de": {"title": "b", "body": "{code}"}},
        "incentive": {"percent": 10, "margin_floor": 0.105, "budget_minor": 20050, "cost_minor": 490, "valid_days": 3,
                      "per_visitor": 1, "per_email": 2, "per_device": 4},
    }  # fmt: skip
    fields = shown(body, "EUR")
    assert (fields["budget"], fields["margin_floor"], fields["cost"]) == ("200.50", "10.5", "4.90")
    assert body_of(fields, "EUR", enabled=True) == body
    assert shown(body | {"starts_at": "2026-11-22T12:00:00+02:00"}, "EUR")["starts_at"] == "2026-11-22T10:00"


def test_each_place_of_the_api_has_its_field() -> None:
    typed = {"language.0": "default", "language.1": " de "}
    assert called("/content/de/cta_href", typed) == ("cta_href.1", "Where the button leads (de)")
    assert called("/content/default/title", typed) == ("title.0", "Headline")
    assert called("/content/Deutsch", {"language.3": "Deutsch"})[0] == "language.3"
    assert called("/incentive/budget_minor", typed) == ("budget", LABELS["budget"])
    assert called("/incentive", typed) == ("percent", LABELS["percent"])
    assert called("/when/all/0/field", typed) == ("when", "When")


async def test_what_is_wrong_is_told_beside_its_field_in_the_forms_words(api: Api, editor: Person) -> None:
    fields = begun("discount_popup") | {"name": "ten", "body.0": "no place for it"}
    del fields["when"]
    fields["when"] = "sesion.leaving = true"  # where it stands in the form, behind the words
    without_margin = await editor.send("/actions/new", "/actions/new", **fields)
    assert 'id="percent-p">Without margin data nothing may be given away' in without_margin.text
    await with_margin(api)
    more = {"language.1": "Deutsch", "title.1": "Nur heute", "body.1": "{code}", "cta_href.0": "javascript:alert(1)"}
    refused = await editor.send("/actions/new", "/actions/new", **fields | more)
    text = unescape(refused.text)
    assert refused.status_code == 400
    assert 'id="when-p">There is no field sesion.leaving: did you mean session.leaving' in text
    assert 'id="body.0-p">Nobody would read the code: put {code} into title or body.' in text
    assert 'id="cta_href.0-p">This address is not safe to offer' in text
    assert 'id="language.1-p">This is no locale: write it as de or de-AT.' in text
    assert re.search(r'name="body.0"[^>]* aria-invalid="true"[^>]* autofocus', refused.text)
    assert text.count(" autofocus") == 1
    assert "Nur heute" in text
    for name, value, said in (
        ("percent", "ten", "is not a whole number"),
        ("percent", "95", "at most 90"),
        ("budget", "1,250", "without a mark for thousands"),
        ("margin_floor", "120", "from 0 to 100 percent"),
        ("starts_at", "tomorrow", "write a time"),
    ):
        one = unescape((await editor.send("/actions/new", "/actions/new", **fields | {name: value})).text)
        beside = re.search(rf'id="{name}-p">([^<]*)<', one)
        assert beside and said in beside[1].lower(), (name, value)
        assert f"<b>No live action was made.</b> {LABELS[name]}: " in one
    assert await listed(api) == []


async def test_an_action_is_switched_off_changed_switched_on_and_removed(api: Api, editor: Person) -> None:
    made = await editor.send("/actions/new", "/actions/new", **begun("trust_card"), name="ours", do="off")
    where = made.headers["location"].removeprefix("/app").split("?")[0]
    assert [one["enabled"] for one in await listed(api)] == [False]
    page = await editor.see(where)
    assert "Switch it on" in page and "session.asks_policy = true" in page
    fields = begun("trust_card") | {"name": "ours", "title.0": "Thirty days", "language.1": "de"}
    changed = await editor.send(f"{where}/edit", f"{where}/edit", **fields, **{"title.1": "x", "body.1": "y"})
    assert changed.headers["location"] == f"/app{where}?done=saved"
    [entry] = await listed(api)
    assert (entry["enabled"], sorted(entry["content"])) == (False, ["de", "default"])
    assert entry["content"]["default"]["title"] == "Thirty days"
    # A language whose words are taken out goes.
    await editor.send(f"{where}/edit", f"{where}/edit", **fields)
    assert sorted((await listed(api))[0]["content"]) == ["default"]
    await editor.send(where, f"{where}/switch", do="on")
    assert (await listed(api))[0] | {"version": 4, "updated_at": ""} == entry | {
        "version": 4, "updated_at": "", "enabled": True, "content": {"default": entry["content"]["default"]},
    }  # fmt: skip
    gone = await editor.send(where, f"{where}/remove")
    assert gone.headers["location"] == "/app/actions?done=removed"
    assert await listed(api) == []
    noted = (await api.client.get("/v1/audit?subject=live action", headers=api.headers)).json()["entries"]
    assert {one["actor_name"] for one in noted} == {"the editor"}
    assert [one["change"] for one in noted] == ["removed", "changed", "changed", "changed", "made"]


async def test_nobody_overwrites_another_in_silence(api: Api, editor: Person) -> None:
    made = await editor.send("/actions/new", "/actions/new", **begun("trust_card"), name="ours")
    where = made.headers["location"].removeprefix("/app").split("?")[0]
    old = (await editor.client.get(f"/app{where}/edit")).text.split("</header>")[-1]
    mine = begun("trust_card") | {"name": "mine", "token": hidden(old, "token"), "revision": hidden(old, "revision")}
    await editor.send(where, f"{where}/switch", do="off")
    refused = await editor.client.post(f"/app{where}/edit", data=mine)
    assert (refused.status_code, 'value="mine"' in refused.text) == (412, True)
    assert "Somebody else saved it" in refused.text
    for path in ("switch", "remove"):
        assert (await editor.client.post(f"/app{where}/{path}", data=mine | {"do": "on"})).status_code == 412
    assert [(one["name"], one["enabled"]) for one in await listed(api)] == [("ours", False)]
    knowing = mine | {"revision": hidden(refused.text, "revision")}
    assert (await editor.client.post(f"/app{where}/edit", data=knowing)).status_code == 303
    assert [(one["name"], one["enabled"]) for one in await listed(api)] == [("mine", False)]


async def test_what_is_typed_is_drawn_and_not_stored(api: Api, editor: Person) -> None:
    fields = begun("discount_popup") | {"title.0": "<b>{percent}</b> & more", "percent": "12"}
    drawn = await editor.send("/actions/new", "/actions/frame", **fields, look="0")
    assert (drawn.status_code, drawn.headers["x-frame-options"]) == (200, "SAMEORIGIN")
    assert "form-action 'none'" in drawn.headers["content-security-policy"]
    action = json.loads(unescape(re.search(r'data-action="([^"]*)"', drawn.text)[1]))  # type: ignore[index]
    assert action["content"]["title"] == "<b>12</b> & more"
    assert "<b>12" not in drawn.text
    for odd in ({}, {"template": "x", "action": "x", "percent": "٣", "look": "9"}, LONG):
        assert (await editor.send("/actions/new", "/actions/frame", **odd)).status_code == 200
    assert await listed(api) == []


async def become(api: Api, role: Role) -> None:
    """Gives the reader's key another role."""
    async with api.services.database.transaction(api.project_id) as tx:
        theirs = (ApiKey.project_id == api.project_id) & (ApiKey.name == "the reader")
        await tx.execute(update(ApiKey).where(theirs).values(role=role))


async def test_a_reader_writes_none(api: Api, reader: Person, editor: Person) -> None:
    made = await editor.send("/actions/new", "/actions/new", **begun("trust_card"), name="ours")
    where = made.headers["location"].removeprefix("/app").split("?")[0]
    for path in ("/actions/new", f"{where}/edit"):
        await reader.see(path, 403)
    # Their form was signed while they were an editor.
    await become(api, Role.EDITOR)
    token = hidden((await reader.client.get("/app/actions/new")).text.split("</header>")[-1], "token")
    await become(api, Role.READER)
    assert "Switch it off" not in await reader.see(where)
    assert "Write it" not in await reader.see("/actions")
    for path in ("/actions/new", f"{where}/edit", f"{where}/switch", f"{where}/remove"):
        fields = begun("trust_card") | {"token": token, "name": "mine"}
        assert (await reader.client.post(f"/app{path}", data=fields)).status_code == 403, path
    assert [one["name"] for one in await listed(api)] == ["ours"]


@pytest.mark.browser
async def test_it_is_written_seen_and_kept_on_a_phone_by_keyboard(whole: Whole, browser: Browser) -> None:
    async with serving(whole.app) as base:
        page = await browser.new_page(viewport={"width": 360, "height": 740}, reduced_motion="reduce")
        await page.goto(f"{base}/app/actions")
        await page.fill("#key", whole.key)
        await page.keyboard.press("Enter")
        await page.get_by_label("Kind", exact=True).select_option("discount_popup")
        await page.get_by_role("button", name="Write it").press("Enter")
        await page.get_by_label("Name", exact=True).fill("leavers")
        await page.get_by_label("Headline").first.fill("Stay: {percent} % off")
        await page.get_by_role("button", name="See it as it is typed").first.press("Enter")
        # A popup takes the focus of the page that it is shown on; who writes it goes on typing.
        await page.get_by_label("Percent off the cart").focus()
        frame = page.frame_locator("iframe")
        await expect(frame.get_by_text("Stay: 10 % off")).to_be_visible()
        await expect(frame.locator("dialog:modal")).to_be_visible()
        await expect(page.get_by_label("Percent off the cart")).to_be_focused()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        await page.get_by_label("Percent off the cart").fill("60")
        await page.get_by_role("button", name="Keep it switched off").press("Enter")
        await expect(page.get_by_label("Percent off the cart")).to_be_focused()
        await expect(page.get_by_label("Headline").first).to_have_value("Stay: {percent} % off")
        await page.keyboard.press("Control+A")
        await page.keyboard.type("5")
        await page.get_by_role("button", name="Keep it switched off").press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("leavers")
        await expect(page.frame_locator("iframe").first.get_by_text("Stay: 5 % off")).to_be_visible()
        for frame in await page.locator("iframe").all():
            await expect(frame.content_frame.locator("dialog:modal")).to_be_visible()
        assert await page.evaluate("document.activeElement === document.body")
        await page.close()
