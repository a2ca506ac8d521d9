"""The pages for whoever gets messages: one click stops them, a choice holds, and no script is needed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from playwright.async_api import Browser
from sqlalchemy import select

from flows.models import Delivery, DeliveryEvent, Suppression
from insights.app import create_app
from insights.models import Project, Visitor
from insights.recovery import unsubscribe
from insights.recovery.preference_words import LANGUAGES, Words, language_of
from tests.api.conftest import Api
from tests.demo.serving import serving

EMAIL, PHONE = "anna.berg@example.com", "+4915112345678"
ALL = {"marketing": True}


async def person(api: Api, consent: dict[str, Any] = ALL, **other: Any) -> UUID:
    identifier = uuid4()
    values = {"email": EMAIL, "phone": PHONE, "consent": consent, "first_seen_at": datetime.now(UTC)} | other
    async with api.services.database.transaction(api.project_id) as tx:
        tx.add(Visitor(project_id=api.project_id, id=identifier, **values))
    return identifier


async def delivered(api: Api, visitor: UUID) -> UUID:
    identifier = uuid4()
    async with api.services.database.transaction(api.project_id) as tx:
        tx.add(
            Delivery(
                project_id=api.project_id,
                id=identifier,
                run_id=uuid4(),
                step="mail",
                action="send_email",
                visitor_id=visitor,
                channel="email",
                recipient=EMAIL,
                dedupe_key=str(identifier),
                content={},
                status="accepted",
                attempts=1,
                created_at=datetime.now(UTC) - timedelta(hours=1),
            )
        )
    return identifier


def token(api: Api, visitor: UUID, channel: str = "email", recipient: str = EMAIL) -> str:
    claim = unsubscribe.Claim(api.project_id, visitor, channel, recipient)
    return unsubscribe.sign(api.services.signing_secret, claim)


async def off(api: Api) -> set[tuple[str, str, str]]:
    async with api.services.database.transaction(api.project_id) as tx:
        return {(row.channel, row.recipient, row.reason) for row in await tx.scalars(select(Suppression))}


async def kinds(api: Api) -> list[str]:
    async with api.services.database.transaction(api.project_id) as tx:
        return sorted(await tx.scalars(select(DeliveryEvent.kind)))


async def test_one_click_stops_it_twice_is_once_and_it_counts_for_the_message(api: Api) -> None:
    visitor = await person(api)
    await delivered(api, visitor)
    url = f"/v1/unsubscribe?token={token(api, visitor)}"
    for _ in range(2):
        # As RFC 8058 has it: no cookie, no referrer, this body.
        answer = await api.client.post(url, content=b"List-Unsubscribe=One-Click")
        assert answer.status_code == 200
    assert await off(api) == {("email", EMAIL, "unsubscribed")}
    assert await kinds(api) == ["unsubscribed"]


async def test_looking_changes_nothing_and_tells_no_whole_address(api: Api) -> None:
    url = token(api, await person(api))
    for path in ("unsubscribe", "preferences"):
        for method in ("GET", "HEAD"):
            answer = await api.client.request(method, f"/v1/{path}?token={url}")
            assert EMAIL not in answer.text
            assert PHONE not in answer.text
        page = (await api.client.get(f"/v1/{path}?token={url}")).text
        assert "a•••@example.com" in page
        assert "<script" not in page
    assert await off(api) == set()


async def test_a_choice_is_kept_channel_by_channel_and_can_be_taken_back(api: Api) -> None:
    visitor = await person(api)
    await delivered(api, visitor)
    url = f"/v1/preferences?token={token(api, visitor)}"

    async def choose(**fields: str) -> str:
        answer = await api.client.post(url, data={"do": "save"} | fields)
        assert answer.status_code == 303
        return (await api.client.get("/v1/" + answer.headers["location"])).text

    page = await choose(**{"channel-email": "on"})
    assert "Saved." in page
    assert await off(api) == {("sms", PHONE, "unsubscribed")}
    assert page.count(" checked") == 1
    await choose(**{"channel-sms": "on"})
    assert await off(api) == {("email", EMAIL, "unsubscribed")}
    await choose(**{"channel-email": "on", "channel-sms": "on", "channel-pigeon": "on"})
    assert await off(api) == set()
    await choose(do="none", **{"channel-email": "on"})
    assert await off(api) == {("email", EMAIL, "unsubscribed"), ("sms", PHONE, "unsubscribed")}
    assert await kinds(api) == ["resubscribed", "unsubscribed", "unsubscribed"]


async def test_only_what_they_agreed_to_is_offered_and_what_bounced_stays_off(api: Api) -> None:
    visitor = await person(api, {"marketing": True, "channels": ["email"]})
    async with api.services.database.transaction(api.project_id) as tx:
        tx.add(
            Suppression(
                project_id=api.project_id, channel="email", recipient=EMAIL, reason="bounced", at=datetime.now(UTC)
            )
        )
    url = f"/v1/preferences?token={token(api, visitor)}"
    page = (await api.client.get(url)).text
    assert "Text messages" not in page
    assert "disabled" in page
    await api.client.post(url, data={"do": "save", "channel-email": "on", "channel-sms": "on"})
    assert await off(api) == {("email", EMAIL, "bounced")}


async def test_a_link_works_after_its_visitor_is_gone(api: Api) -> None:
    url = token(api, uuid4())
    assert (await api.client.post(f"/v1/unsubscribe?token={url}")).status_code == 200
    assert "a•••@example.com" in (await api.client.get(f"/v1/preferences?token={url}")).text
    assert await off(api) == {("email", EMAIL, "unsubscribed")}


async def test_a_forged_or_broken_link_says_so_in_their_language_and_does_nothing(api: Api) -> None:
    good = token(api, await person(api))
    for bad in ("", "x", good[:-6], good[:30] + "AAAA" + good[34:]):
        for method, path in (
            ("GET", "unsubscribe"),
            ("POST", "unsubscribe"),
            ("GET", "preferences"),
            ("POST", "preferences"),
        ):
            answer = await api.client.request(
                method, f"/v1/{path}", params={"token": bad}, headers={"accept-language": "de-AT,en;q=0.5"}
            )
            assert answer.status_code == 400
            assert "Dieser Link ist nicht vollständig" in answer.text
    assert (await api.client.post(f"/v1/preferences?token={good}", data={"x": "y"})).status_code == 400
    assert await off(api) == set()


async def test_a_shops_name_is_shown_as_text_and_nothing_may_be_loaded(api: Api) -> None:
    async with api.services.database.transaction(None) as tx:
        project = await tx.get_one(Project, api.project_id)
        project.name = f"<img src=x onerror=alert(1)> {uuid4().hex}"
    answer = await api.client.get(f"/v1/preferences?token={token(api, await person(api))}")
    assert "<img" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", sorted(LANGUAGES))
def test_every_language_says_everything(name: str) -> None:
    words, english = LANGUAGES[name], LANGUAGES["en"]
    for field in Words.__slots__:
        said, model = getattr(words, field), getattr(english, field)
        if isinstance(model, str):
            assert said.strip()
            assert sorted(re.findall(r"{\w+}", said)) == sorted(re.findall(r"{\w+}", model))
            assert "<" not in said
            assert name == "en" or said != model
        else:
            assert set(said) == set(model)


@pytest.mark.parametrize(
    ("known", "accepted", "name"),
    [
        ("de-AT", "fr", "de"),
        (None, "fr-CH, fr;q=0.9, en;q=0.8", "fr"),
        (None, "xx;q=1, es;q=0.2, it;q=0.7", "it"),
        ("xx", "", "en"),
        (None, ";;q=,", "en"),
        (None, "nl;q=nan", "nl"),
    ],
)
def test_they_are_spoken_to_in_their_language(known: str | None, accepted: str, name: str) -> None:
    assert language_of(known, accepted) == name


async def test_it_works_in_a_browser_without_scripts_by_keyboard_on_a_phone(api: Api, browser: Browser) -> None:
    visitor = await person(api)
    async with serving(create_app(api.services)) as address:
        context = await browser.new_context(
            java_script_enabled=False, viewport={"width": 320, "height": 640}, locale="de-DE"
        )
        page = await context.new_page()
        await page.goto(f"{address}/v1/unsubscribe?token={token(api, visitor)}")
        assert await page.locator("html").get_attribute("lang") == "de"
        await page.get_by_role("button", name="Abbestellen").press("Enter")
        await page.get_by_role("status").wait_for()
        assert await off(api) == {("email", EMAIL, "unsubscribed")}
        await page.get_by_role("link", name="Wählen, was Sie bekommen").click()
        assert not await page.get_by_label("E-Mail").is_checked()
        await page.get_by_label("E-Mail").press("Space")
        await page.get_by_label("SMS").press("Space")
        await page.get_by_role("button", name="Speichern").press("Enter")
        await page.get_by_text("Gespeichert.").wait_for()
        assert await page.get_by_label("E-Mail").is_checked()
        assert await off(api) == {("sms", PHONE, "unsubscribed")}
        await context.close()
