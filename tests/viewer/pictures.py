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
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from adapters.postgres import embedded, migrate
from adapters.postgres.engine import Database, DatabaseUrls
from insights.channels.store import Wanted, create
from insights.models import Project
from insights.patterns.look import Looker
from insights.patterns.tell import Teller
from insights.sealing import Sealer
from insights.settings import Settings
from insights.shipped import shipped
from insights.wiring import classifiers_of
from tests.browser import ARGUMENTS, chromium_path
from tests.demo.serving import serving
from tests.patterns import shop
from tests.viewer.conftest import viewer
from tests.viewer.seed import NOW, Keys, Visit, seed_shop

ROOT = Path(__file__).parent.parent.parent
OUT = ROOT / "docs" / "images" / "viewer"
DESKTOP, PHONE, TALLEST = (1180, 820), (390, 820), 1500


def places(visits: dict[str, Visit], pattern_id: UUID) -> dict[str, str]:
    """Picture → the page on it."""
    return {
        "login": "/login",
        "sessions": "/sessions",
        "session": f"/sessions/{visits['broken'].id}",
        "open-session": f"/sessions/{visits['open'].id}",
        "visitor": f"/visitors/{visits['broken'].visitor_id}",
        "home": "/",
        "patterns": "/patterns",
        "pattern": f"/patterns/{pattern_id}",
        "reports": "/reports?split=2026-11-20",
        "actions": "/actions",
        "lift": "/lift",
        "channels": "/channels",
        "nothing-matches": "/sessions?text=nobody",
        "unknown": f"/sessions/{uuid4()}",
    }


async def seed_weeks(database: Database, project_id: UUID, folder: Path) -> UUID:
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
    weeks.shifted(NOW - shop.NOW)
    await weeks.store(database)
    await weeks.broken_request(database, 17)
    _, classifiers = classifiers_of(Settings(data_dir=folder), database)
    looked = await Looker(database, Teller(database, classifiers, timedelta(seconds=1)), lambda: NOW).look(project_id)
    assert looked is not None
    return looked.found[0]


async def set_up_channels(database: Database, project_id: UUID) -> None:
    """One channel that goes well, and one whose key is refused."""
    sealer = Sealer([b"a key of the pictures, 32 bytes.."])
    async with database.transaction(project_id) as tx:
        mail = Wanted({"sender": "Quiet Kettle <hello@kettle.example>"}, {"api_key": "re_12345678"})
        good = await create(tx, sealer, project_id, "resend", "main-mail", mail, NOW)
        good.last_ok_at = NOW - timedelta(minutes=4)
        ill = await create(tx, sealer, project_id, "postmark", "spare-mail", mail, NOW)
        ill.last_error = "The provider refuses the credentials (401): make a new key, or give this one the rights."
        ill.last_error_at, ill.failures = NOW - timedelta(minutes=2), 3


@asynccontextmanager
async def filled() -> AsyncIterator[tuple[str, str, dict[str, Visit], UUID]]:
    """The address of a viewer over a filled shop, its secret key, and the visits that pages show."""
    with tempfile.TemporaryDirectory() as folder, embedded.start(Path(folder) / "postgres") as server:
        migrate.upgrade(server.owner_url, shipped("migrations"))
        database, keys, project_id = Database(DatabaseUrls(server.owner_url, server.app_url)), Keys(), uuid4()
        async with database.transaction(None) as tx:
            tx.add(Project(id=project_id, name="Quiet Kettle", allowed_origins=[]))
        pattern_id = await seed_weeks(database, project_id, Path(folder))
        visits = await seed_shop(database, project_id)
        await set_up_channels(database, project_id)
        async with serving(viewer(database, keys)) as address:
            yield f"{address}/app", await keys.make(database, project_id), visits, pattern_id
        await database.close()


async def enter(context: BrowserContext, base: str, key: str) -> Page:
    page = await context.new_page()
    await page.goto(f"{base}/login")
    await page.fill("#key", key)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    return page


async def picture(page: Page, address: str, size: tuple[int, int]) -> bytes:
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    await page.goto(address)
    await page.wait_for_load_state("networkidle")
    tall = await page.evaluate("document.documentElement.scrollHeight")
    return await page.screenshot(
        full_page=True, clip={"x": 0, "y": 0, "width": size[0], "height": min(max(tall, size[1]), TALLEST)}
    )


async def sheet(browser: Browser, taken: list[bytes]) -> bytes:
    """The pictures beside each other, light and dark at half the size of the phone's."""
    page = await browser.new_page(viewport={"width": 1300, "height": 100})
    images = "".join(f'<img src="data:image/png;base64,{base64.b64encode(one).decode()}">' for one in taken)
    await page.set_content(
        "<style>body{margin:0;padding:10px;display:grid;grid-template-columns:5fr 5fr 2.2fr;gap:10px;"
        f"align-items:start;background:#8a9299}}img{{display:block;width:100%;border-radius:4px}}</style>{images}"
    )
    made = await page.screenshot(type="jpeg", quality=72, full_page=True)
    await page.close()
    return made


async def main(wanted: list[str], out: Path) -> None:
    async with filled() as (base, key, visits, pattern_id), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        light = await enter(await browser.new_context(color_scheme="light", reduced_motion="reduce"), base, key)
        dark = await enter(await browser.new_context(color_scheme="dark", reduced_motion="reduce"), base, key)
        for name, path in places(visits, pattern_id).items():
            if wanted and name not in wanted:
                continue
            taken = [await picture(page, base + path, DESKTOP) for page in (light, dark)]
            taken.append(await picture(light, base + path, PHONE))
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
