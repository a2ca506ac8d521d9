"""The viewer under /app as the product mounts it, with a clock that stands still, and ways to look at it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, async_playwright
from sqlalchemy import select, update
from starlette.types import ASGIApp

from adapters.postgres.engine import Database, DatabaseUrls
from flows.models import Flow
from insights.access.keys import create_key
from insights.app import create_app
from insights.recovery.publish import publish_starter_flows
from insights.settings import Settings
from insights.viewer.app import create_viewer
from insights.wiring.services import Services, build
from tests.browser import ARGUMENTS, chromium_path
from tests.patterns.shop import NOW as WEEKS_END
from tests.patterns.shop import Weeks
from tests.viewer.furnish import SEGMENTS, Furnished, furnish
from tests.viewer.seed import NOW, Keys, Visit, seed_shop
from tests.viewer.tour import pages

SECRET = b"a secret of thirty-two characters"


@pytest.fixture
def keys() -> Keys:
    return Keys()


def viewer(database: Database, keys: Keys, *, secure_cookies: bool = False, **more: Any) -> FastAPI:
    """The product's own kind of application, with the viewer in it and a clock that stands still."""
    outer = FastAPI()
    outer.mount(
        "/app",
        create_viewer(
            database,
            resolve_key=keys,
            signing_secret=SECRET,
            secure_cookies=secure_cookies,
            **({"clock": lambda: NOW} | more),
        ),
    )
    return outer


@pytest.fixture
def app(database: Database, keys: Keys) -> FastAPI:
    return viewer(database, keys)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Someone who is not logged in. Faults of the viewer arrive as pages, as they do for people."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://viewer.test") as client:
        yield client


async def log_in(client: httpx.AsyncClient, key: str, next_page: str = "") -> httpx.Response:
    """Types a key into the login form."""
    form = await client.get("/app/login", params={"next": next_page})
    return await client.post(
        "/app/login", data={"key": key, "token": hidden(form.text, "token"), "next": hidden(form.text, "next")}
    )


def hidden(page: str, name: str) -> str:
    """The value of a hidden field."""
    return page.split(f'name="{name}" value="', 1)[1].split('"', 1)[0]


@dataclass(frozen=True)
class Shop:
    """A project with sessions, its secret key, and someone logged in to it."""

    project_id: UUID
    key: str
    visits: dict[str, Visit]
    client: httpx.AsyncClient

    async def see(self, path: str, status: int = 200) -> str:
        """The page at ``path`` under the viewer."""
        answer = await self.client.get(f"/app{path}")
        assert answer.status_code == status, answer.text[:2000]
        return answer.text


@pytest.fixture
async def shop(database: Database, project_id: UUID, keys: Keys, client: httpx.AsyncClient) -> Shop:
    visits = await seed_shop(database, project_id)
    key = await keys.make(database, project_id)
    assert (await log_in(client, key)).status_code == 303
    return Shop(project_id, key, visits, client)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A real Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        yield browser
        await browser.close()


@dataclass(frozen=True)
class Whole:
    """The whole application as it is served, with a filled shop."""

    app: ASGIApp
    database: Database
    project_id: UUID
    key: str
    visits: dict[str, Visit]
    flow_id: UUID
    pattern_id: UUID

    furnished: Furnished
    services: Services

    def known(self) -> dict[str, list[str]]:
        """What the parameters of the viewer's addresses may be."""
        broken = self.visits["broken"]
        return {
            "session_id": [str(one) for one in (broken.id, self.visits["open"].id, self.visits["waiting"].id, uuid4())],
            "visitor_id": [str(broken.visitor_id), str(uuid4())],
            "flow_id": [str(self.flow_id)],
            "pattern_id": [str(self.pattern_id)],
            "policy_id": [str(self.furnished.policy_id)],
            "segment": [name for name, *_ in SEGMENTS],
            "entry": ["trust_card", str(self.furnished.entry_id)],
        }

    def pages(self) -> list[str]:
        """Every page of the viewer, in each of its states."""
        return [*pages(self.app, self.known()), f"/invitation?link={self.furnished.invitation}", "/nowhere"]


@pytest.fixture(scope="module")
async def whole(database_urls: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Whole]:
    services = build(Settings(data_dir=tmp_path_factory.mktemp("whole")), database_urls)
    services.recorder.start()
    now = datetime.now(UTC)
    key = await create_key(services.database, f"shop-{uuid4()}", "secret", [])
    visits = await seed_shop(services.database, key.project_id, now=now)
    weeks = Weeks(key.project_id)
    for path, share in (("/checkout", 0.7), ("/about", 0.12)):
        weeks.page(path, rate=2, now=share, changed_hours=16, reason="trust_concern", otherwise="unclear", cart=2500)
    await weeks.shifted(now - WEEKS_END).store(services.database)
    async with services.database.transaction(key.project_id) as tx:
        # What the seed published is no flow that could be read.
        await tx.execute(update(Flow).where(Flow.project_id == key.project_id).values(version_id=None))
    looked = await services.looker.look(key.project_id)
    assert looked is not None and looked.found
    async with services.database.transaction(key.project_id) as tx:
        await publish_starter_flows(tx, key.project_id, now)
        flow_id = await tx.scalar(
            select(Flow.id).where(Flow.project_id == key.project_id, Flow.version_id.is_not(None)).order_by(Flow.name)
        )
    assert flow_id is not None
    furnished = await furnish(services, key.project_id, now)
    yield Whole(
        create_app(services),
        services.database,
        key.project_id,
        key.key,
        visits,
        flow_id,
        looked.found[0],
        furnished,
        services,
    )
    await services.stop()
    await services.database.close()
