"""Takes the pictures of docs/images/viewer: every page of the viewer in light, in dark and on a phone.

`python -m tests.viewer.pictures [--to FOLDER] [NAME …]` fills a database of its own, so that the pictures show no
real person.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from sqlalchemy import select, update

from adapters.postgres import embedded, migrate
from adapters.postgres.engine import DatabaseUrls
from flows.models import Flow
from insights.access.keys import create_key
from insights.app import create_app
from insights.models import Event, Session, Visitor
from insights.patterns.look import Looker
from insights.patterns.tell import Teller
from insights.recovery.publish import publish_starter_flows
from insights.settings import Settings
from insights.shipped import shipped
from insights.vocabulary.ids import uuid7
from insights.wiring.services import Services, build
from tests.browser import ARGUMENTS, chromium_path
from tests.demo.serving import serving
from tests.patterns import shop
from tests.viewer.furnish import Furnished, furnish
from tests.viewer.seed import Visit, broken_checkout, seed_shop, store

ROOT = Path(__file__).parent.parent.parent
OUT = ROOT / "docs" / "images" / "viewer"
DESKTOP, PHONE, TALLEST = (1180, 820), (390, 820), 1900
LARGEST = 150_000
"""Bytes of a picture."""


@dataclass(frozen=True)
class Filled:
    """A viewer over a filled shop. ``base`` ends in /app."""

    base: str
    key: str
    visits: dict[str, Visit]
    flow: UUID
    pattern: UUID
    split: str
    furnished: Furnished


def places(filled: Filled) -> dict[str, str]:
    """Picture → the page on it."""
    visits = filled.visits
    return {
        "login": "/login",
        "home": "/",
        "sessions": "/sessions",
        "session": f"/sessions/{visits['broken'].id}",
        "replay": f"/sessions/{visits['broken'].id}#replay",
        "open-session": f"/sessions/{visits['open'].id}",
        "sent": f"/sessions/{visits['broken'].id}/sent",
        "visitor": f"/visitors/{visits['broken'].visitor_id}",
        "patterns": "/patterns",
        "pattern": f"/patterns/{filled.pattern}",
        "reports": f"/reports?split={filled.split}",
        "flows": "/flows",
        "flow": f"/flows/{filled.flow}",
        "builder": f"/flows/{filled.flow}/build",
        "segments": "/segments",
        "segment": "/segments/big-carts?who=now",
        "actions": "/actions",
        "action": f"/actions/{filled.furnished.entry_id}",
        "action-form": f"/actions/{filled.furnished.entry_id}/edit",
        "lift": "/lift",
        "channels": "/channels",
        "policy": f"/policies/{filled.furnished.policy_id}",
        "keys": "/settings/keys",
        "identity": "/settings/identity",
        "members": "/settings/members",
        "project": "/settings/project",
        "model": "/settings/model",
        "privacy": "/settings/privacy",
        "changes": "/settings/changes",
        "you": "/settings/you",
        "nothing-matches": "/sessions?text=nobody",
        "unknown": f"/sessions/{uuid4()}",
        "login-over": "/login?over=1",
        "behind": "/reports/sessions?reason=technical_error",
    }


async def seed_weeks(services: Services, project_id: UUID, now: datetime) -> UUID:
    """Two weeks of visits, and the pattern that is found in them."""
    weeks = shop.Weeks(project_id, seed=3)
    weeks.page("/cart", rate=3, now=0.55, changed_hours=17, share=0.14, cart=3400, product="moka-pot")
    for path, reason, share in (
        ("/product/moka-pot", "price_hesitation", 0.4),
        ("/checkout", "trust_concern", 0.35),
        ("/", "comparison_shopping", 0.3),
    ):
        weeks.page(path, rate=2, share=share, reason=reason, otherwise="unclear", source="newsletter", cart=1900)
        weeks.page(path, rate=1, share=0.5, reason="ux_friction", viewport="390x800")
    weeks.page("/thank-you", rate=1, share=0.45, reason="social_proof", otherwise="value_fit", kind="converted")
    weeks.shifted(now - shop.NOW)
    await weeks.store(services.database)
    await weeks.broken_request(services.database, 17)
    await give_timelines(services, project_id)
    teller = Teller(services.database, services.classifiers, timedelta(seconds=1))
    looked = await Looker(services.database, teller, lambda: now).look(project_id)
    assert looked is not None
    return looked.found[0]


async def give_timelines(services: Services, project_id: UUID) -> None:
    """Gives the newest of the two weeks' visits, which are what lists begin with, something that happened in them."""
    async with services.database.transaction(project_id) as tx:
        bare = select(Session).where(
            Session.project_id == project_id, Session.paths == [], Session.closed_at.is_not(None)
        )
        for visit in await tx.scalars(bare.order_by(Session.started_at.desc()).limit(160)):
            paths = list(dict.fromkeys(["/", "/product/moka-pot", visit.exit_path or "/"]))
            if visit.purchased:
                paths[1:] = ["/checkout", "/thank-you"]
            for place in range(3 * len(paths) + visit.id.int % 9):
                page = paths[min(place // 3, len(paths) - 1)]
                kind = "page_viewed" if place % 3 == 0 and place < 3 * len(paths) else "scrolled"
                at = visit.started_at + timedelta(seconds=9 * place + visit.id.int % 7)
                props: dict[str, Any] = {"path": page} if kind == "page_viewed" else {"depth": 0.2 + place % 7 / 10}
                made = Event(
                    project_id=project_id, session_id=visit.id, id=uuid7(), visitor_id=visit.visitor_id, tab="a",
                    seq=place + 1, occurred_at=at, received_at=at, type=kind, url=f"https://kettle.example{page}",
                    props=props,
                )  # fmt: skip
                tx.add(made)


def filled_carts(now: datetime) -> list[Visit]:
    """Visits that a reminder is for: something in the cart, and then something else came up."""
    made = []
    for hours, email in (
        (5, "ada@example.org"),
        (9, None),
        (14, "lin@example.org"),
        (26, "sam@example.org"),
        (50, None),
    ):
        visit = broken_checkout(now - timedelta(hours=hours), email=email, reason="distraction", confidence=0.76)
        visit.events, visit.cite = visit.events[:11], [10]
        visit.narrative = "They put a kettle in the cart, left the tab for something else and did not come back."
        made.append(visit)
    return made


@asynccontextmanager
async def filled() -> AsyncIterator[Filled]:
    """The product over a shop with visits, insights, decisions and flows."""
    with tempfile.TemporaryDirectory() as folder, embedded.start(Path(folder) / "postgres") as server:
        migrate.upgrade(server.owner_url, shipped("migrations"))
        services = build(Settings(data_dir=Path(folder)), DatabaseUrls(server.owner_url, server.app_url))
        key = await create_key(services.database, "Quiet Kettle", "secret", [])
        now = datetime.now(UTC)
        visits = await seed_shop(services.database, key.project_id, now=now)
        async with services.database.transaction(key.project_id) as tx:
            for visit in filled_carts(now):
                await store(tx, key.project_id, visit)
                await tx.execute(
                    update(Visitor).where(Visitor.id == visit.visitor_id).values(consent={"marketing": True})
                )
            await publish_starter_flows(tx, key.project_id, now)
            flow = await tx.scalar(select(Flow.id).where(Flow.name == "distraction"))
            flow = flow or await tx.scalar(select(Flow.id).where(Flow.version_id.is_not(None)).order_by(Flow.name))
        assert flow is not None
        furnished = await furnish(services, key.project_id, now)
        pattern = await seed_weeks(services, key.project_id, now)
        split = f"{now - timedelta(days=1):%Y-%m-%d}"
        async with serving(create_app(services)) as address:
            yield Filled(f"{address}/app", key.key, visits, flow, pattern, split, furnished)
        await services.stop()
        await services.database.close()


async def enter(context: BrowserContext, filled: Filled) -> Page:
    page = await context.new_page()
    await page.goto(f"{filled.base}/login")
    await page.fill("#key", filled.key)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    return page


async def prepare(page: Page, name: str) -> None:
    """Brings a page into the state that its picture shows."""
    if name == "builder":
        await page.get_by_role("button", name="Preview last week").click()
        await page.locator("[data-builder-said]").filter(has_text="Last week:").wait_for()
        await page.locator("[data-builder-tree] .step.send .step-face").first.click()
        await page.wait_for_load_state("networkidle")
        await page.wait_for_timeout(500)


async def picture(page: Page, address: str, size: tuple[int, int], name: str) -> bytes | None:
    """The page as far down as is worth looking at; None where there is no such page."""
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    await page.goto("about:blank")
    answer = await page.goto(address)
    if answer is None or (answer.status >= 400 and name != "unknown"):
        return None
    await page.wait_for_load_state("networkidle")
    await prepare(page, name)
    top = 0
    if "#" in address:
        top = await page.evaluate(
            "Math.round(document.querySelector(location.hash).getBoundingClientRect().top + scrollY)"
        )
    tall = await page.evaluate("document.documentElement.scrollHeight")
    high = min(max(tall, size[1]) - top, TALLEST if size == PHONE else int(TALLEST * 0.75))
    return await page.screenshot(full_page=True, clip={"x": 0, "y": top, "width": size[0], "height": high})


async def sheet(browser: Browser, taken: list[bytes]) -> bytes:
    """The pictures beside each other."""
    page = await browser.new_page(viewport={"width": 1500, "height": 100})
    images = "".join(f'<img src="data:image/png;base64,{base64.b64encode(one).decode()}">' for one in taken)
    await page.set_content(
        "<style>body{margin:0;padding:10px;display:grid;grid-template-columns:5fr 5fr 2fr;gap:10px;"
        f"align-items:start;background:#8a9299}}img{{display:block;width:100%;border-radius:4px}}</style>{images}"
    )
    for quality in range(70, 20, -10):
        made = await page.screenshot(type="jpeg", quality=quality, full_page=True)
        if len(made) <= LARGEST:
            break
    await page.close()
    return made


async def main(wanted: list[str], out: Path) -> None:
    async with filled() as shop, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        light = await enter(await browser.new_context(color_scheme="light", reduced_motion="reduce"), shop)
        dark = await enter(await browser.new_context(color_scheme="dark", reduced_motion="reduce"), shop)
        for name, path in places(shop).items():
            if wanted and name not in wanted:
                continue
            address = shop.base + path
            shots = [await picture(page, address, DESKTOP, name) for page in (light, dark)]
            shots.append(await picture(light, address, PHONE, name))
            taken = [shot for shot in shots if shot is not None]
            if len(taken) < len(shots):
                sys.stdout.write(f"{name}: there is no such page\n")
                continue
            target = out / f"{name}.jpg"
            target.write_bytes(await sheet(browser, taken))
            sys.stdout.write(f"{target}: {target.stat().st_size:,} B\n")
        await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--to", type=Path, default=OUT, metavar="FOLDER")
    told = parser.parse_args()
    told.to.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(told.names, told.to))
