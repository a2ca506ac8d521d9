"""Every text of every table is hostile, and every page of the viewer is looked at: nothing of it may ever run."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4
from xml.etree import ElementTree

import httpx
import pytest
from playwright.async_api import Browser, Page, expect
from sqlalchemy import update

from adapters.postgres.engine import DatabaseUrls
from insights.models import Session
from insights.patterns.letters import Letters
from tests.access.neighbour import fill
from tests.attack.test_csv_files import would_be_calculated
from tests.demo.serving import serving
from tests.viewer import tour
from tests.viewer.conftest import Whole, log_in
from tests.viewer.hostile import add_hostile_segment, add_hostile_visit, poison, text_of
from tests.viewer.watching import look_around, watch

MUST_BE_SHOWN = frozenset(
    {
        "address",
        "api_key.name",
        "channel.last_error",
        "channel.name",
        "decision.why",
        "delivery.channel",
        "delivery.error",
        "event.props",
        "event.url",
        "flow.name",
        "flow_version.definition",
        "insight.narrative",
        "insight.suggested",
        "invitation.email",
        "live_action.definition",
        "live_action.name",
        "login.browser",
        "member.email",
        "message.name",
        "pattern.label",
        "pattern.narrative",
        "policy.name",
        "project.name",
        "saved_view.name",
        "segment.condition",
        "segment.description",
        "segment.name",
        "session.exit_path",
        "session.landing_path",
        "subscription.address",
        "visit",
        "webhook_source.name",
    }
)
"""Texts of strangers that some page shows; if one is not seen any more, this test looks past it."""


@pytest.fixture(scope="module")
async def everything(whole: Whole, database_urls: DatabaseUrls) -> AsyncIterator[tuple[Whole, list[str], str]]:
    """The whole shop with hostile texts, the pages to look at, and the hostile visit's id."""
    now = datetime.now(UTC)
    made = await fill(whole.database, whole.project_id, furnished=True)
    visit = await add_hostile_visit(whole.database, whole.project_id, now - timedelta(minutes=40))
    await add_hostile_segment(whole.database, whole.project_id)
    poison(database_urls.owner, whole.project_id)
    known = whole.known()
    more = {
        "session_id": str(visit.id),
        "visitor_id": str(visit.visitor_id),
        "flow_id": made.parameters["flow_id"],
        "pattern_id": made.parameters["pattern_id"],
    }
    for name, value in more.items():
        known[name].append(value)
    asked = quote(text_of("address"))
    pages = [
        *tour.pages(whole.app, known),
        f"/invitation?link={whole.furnished.invitation}",
        *(f"{path}?dimension=page&name={asked}" for path in ("/reports", "/reports/sessions")),
        f"/sessions?text={asked}&page={asked}&reason={asked}&source={asked}",
    ]
    yield whole, pages, str(visit.id)


async def test_every_page_that_shows_what_strangers_wrote_shows_it_as_text(
    everything: tuple[Whole, list[str], str],
) -> None:
    whole, pages, _ = everything
    shown: set[str] = set()
    transport = httpx.ASGITransport(whole.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://viewer.test", follow_redirects=True) as client:
        await log_in(client, whole.key)
        for path in pages:
            answer = await client.get(f"/app{path}")
            assert answer.status_code in (200, 404), (path, answer.status_code)
            assert answer.url.path != "/app/login" or path.startswith("/login")
            assert answer.headers["content-type"].startswith("text/html"), path
            policy = answer.headers["content-security-policy"]
            assert "unsafe" not in policy and "default-src 'none'" in policy, path
            assert "<b data-of" not in answer.text, path
            shown |= set(re.findall(r"data-of=([\w.]+)", answer.text))
    assert set(MUST_BE_SHOWN) <= shown, MUST_BE_SHOWN - shown


async def test_what_is_saved_as_a_file_is_harmless_too(everything: tuple[Whole, list[str], str]) -> None:
    whole, _, _ = everything
    transport = httpx.ASGITransport(whole.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://viewer.test") as client:
        await log_in(client, whole.key)
        drawn = await client.get("/app/reports/mix.svg", params={"dimension": "page", "name": text_of("address")})
        files = [route.path for route in tour.routes(whole.app) if route.path.endswith(".csv")]
        assert files
        listed = [await client.get(f"/app{path}") for path in files]
    for answer in (drawn, *listed):
        assert answer.status_code == 200
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"
    elements = list(ElementTree.fromstring(drawn.text).iter())  # noqa: S314 - our own drawing
    assert {one.tag.rpartition("}")[2] for one in elements} <= {
        "svg",
        "rect",
        "line",
        "text",
        "path",
        "g",
        "title",
        "circle",
    }
    assert not [name for one in elements for name in one.attrib if name.lower().startswith("on") or "href" in name]

    for answer in listed:
        rows = list(csv.reader(io.StringIO(answer.text)))
        assert len(rows) > 1
        assert not [cell for row in rows for cell in row if would_be_calculated(cell)]


@pytest.mark.browser
async def test_mails_of_reports_and_patterns_are_harmless_too(
    everything: tuple[Whole, list[str], str], browser: Browser
) -> None:
    whole, _, _ = everything
    letters = Letters(whole.database, public_url="https://whyleft.example", signing_secret=b"a secret of the test" * 2)
    context = await browser.new_context()
    seen = await watch(context, "https://whyleft.example")
    page = await context.new_page()
    for about in (f"pattern:{whole.pattern_id}", f"weekly:{datetime.now(UTC):%Y-%m-%d}"):
        said = await letters.about(whole.project_id, about, uuid4(), "email", "ada@example.org")
        assert said is not None
        assert "data-of=" in said["html"], "the mail shows nothing that strangers wrote"
        assert "\n" not in said["subject"] and "\r" not in said["subject"]
        await page.set_content(said["html"])
        # A mail has its own style; nothing else may stand in it that could run, load or lead astray.
        foreign = "script, img, svg, iframe, form, base, object, embed, math, meta[http-equiv], [data-of], [srcdoc]"
        assert await page.locator(foreign).count() == 0
        leads = await page.locator("a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
        assert [href for href in leads if not href.startswith("https://whyleft.example/")] == []
    assert seen.all() == []
    await context.close()


def test_no_template_goes_around_the_escaping(repository: Path) -> None:
    files = [*(repository / "insights" / "viewer").rglob("*.html"), *(repository / "insights" / "viewer").rglob("*.py")]
    around = re.compile(r"\|\s*safe\b|\bMarkup\b|autoescape\s*(=\s*False|false)")
    assert len(files) > 60
    assert [str(file) for file in files if around.search(file.read_text())] == []


@pytest.mark.browser
async def test_nothing_that_strangers_wrote_runs_on_any_page(
    everything: tuple[Whole, list[str], str], browser: Browser
) -> None:
    whole, pages, session_id = everything
    async with serving(whole.app) as base:
        context = await browser.new_context(viewport={"width": 1100, "height": 800}, reduced_motion="reduce")
        seen = await watch(context, base)
        page = await context.new_page()
        await page.goto(f"{base}/app/login")
        await page.fill("#key", whole.key)
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        for path in pages:
            await page.goto(f"{base}/app{path}")
            if path.startswith("/actions/"):  # drawn by a script
                await page.wait_for_load_state("networkidle")
            await look_around(page)
            if path.endswith("/build"):
                await _build(page)
            assert seen.all() == [], path
        await _follow(whole, page, base, session_id)
        assert seen.all() == []
        await context.close()


async def _build(page: Page) -> None:
    """Opens every step, asks for last week and for what publishing would change."""
    bar = page.locator("[data-builder-bar]")
    await expect(bar.get_by_role("button", name="Undo")).to_be_visible()
    for step in await page.locator("[data-builder-tree] button.step-face").all():
        await step.click()
        await look_around(page)
    await bar.get_by_role("button", name="Preview last week").click()
    await expect(page.locator("[data-builder-said]")).not_to_have_text("Looking at last week's visits …")
    publish = bar.get_by_role("button", name="Publish …")
    if await publish.is_enabled():
        await publish.click()
        await expect(page.get_by_role("dialog")).to_be_visible()
    await look_around(page)


async def _follow(whole: Whole, page: Page, base: str, session_id: str) -> None:
    """Follows the list live while a hostile visit changes."""
    await page.goto(f"{base}/app/sessions")
    await page.get_by_role("button", name="Follow live").click()
    soon = datetime.now(UTC) + timedelta(seconds=2)
    async with whole.database.transaction(whole.project_id) as tx:
        await tx.execute(update(Session).where(Session.id == session_id).values(last_received_at=soon))
    await expect(page.locator("tr.fresh").first).to_be_visible()
    await look_around(page)
