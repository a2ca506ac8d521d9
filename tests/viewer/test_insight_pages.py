"""What would be sent about a session, to the byte, and what people say of an insight."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from adapters.llm.openai_client import OpenAiModel
from adapters.postgres.engine import Database
from insights.classification.book import AnswerBook
from insights.classification.calibration import shipped_calibrations
from insights.classification.projects import ProjectClassifiers
from insights.classification.wish_store import WishStore
from insights.classification.wishes import Endpoint, InsightWishes
from insights.models import InsightFeedback
from insights.sealing import Sealer
from insights.timeline.read import read_timeline
from tests.llm.endpoint import Endpoint as Server
from tests.llm.endpoint import listening
from tests.viewer.conftest import SECRET, Shop, hidden, log_in, viewer
from tests.viewer.seed import NOW, Keys


async def opened(endpoint: Endpoint) -> OpenAiModel:
    return OpenAiModel(base_url=endpoint.base_url, api_key=endpoint.api_key, model=endpoint.model)


def classifiers(database: Database, endpoint: Endpoint | None) -> ProjectClassifiers:
    return ProjectClassifiers(
        database,
        WishStore(Sealer([SECRET])),
        defaults=InsightWishes(endpoint, 0.5),
        deadline=timedelta(seconds=5),
        open_model=opened,
        calibrations=shipped_calibrations(),
        book=AnswerBook(database, lambda: NOW),
    )


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with listening() as server:
        yield server


async def looking(database: Database, keys: Keys, shop: Shop, names: ProjectClassifiers) -> httpx.AsyncClient:
    """Someone logged in to a viewer that knows of a model."""
    transport = httpx.ASGITransport(viewer(database, keys, previews=names))
    client = httpx.AsyncClient(transport=transport, base_url="http://viewer.test")
    await log_in(client, shop.key)
    return client


def shown(page: str) -> list[str]:
    """The texts of the page's blocks, as a browser shows them."""
    blocks = re.findall(r'<pre class="sent"[^>]*>(.*?)</pre>', page, re.DOTALL)
    return [unescape(re.sub(r"</?bdi>", "", block)) for block in blocks]


async def test_the_page_shows_exactly_what_the_server_gets(
    database: Database, keys: Keys, shop: Shop, server: Server
) -> None:
    names = classifiers(database, Endpoint(server.url, "m-1"))
    server.replies = ["no json"]
    async with database.transaction(shop.project_id) as tx:
        timeline = await read_timeline(tx, shop.project_id, shop.visits["broken"].id)
    await names.classify(timeline)
    sent = server.requests[0]
    assert (await names.preview(timeline)).body == sent
    client = await looking(database, keys, shop, names)
    page = (await client.get(f"/app/sessions/{shop.visits['broken'].id}/sent")).text
    material, instructions, rest = shown(page)
    assert [instructions, material] == [message["content"] for message in sent["messages"]]
    assert json.loads(rest) == {name: value for name, value in sent.items() if name != "messages"}
    assert f"{server.url}/chat/completions" in page
    await client.aclose()
    await names.close()


async def test_without_a_model_it_says_that_nothing_is_sent(database: Database, keys: Keys, shop: Shop) -> None:
    client = await looking(database, keys, shop, classifiers(database, None))
    page = (await client.get(f"/app/sessions/{shop.visits['broken'].id}/sent")).text
    assert "Nothing is sent" in page
    assert (await client.get(f"/app/sessions/{uuid4()}/sent")).status_code == 404
    assert (await client.get("/app/sessions/nonsense/sent")).status_code == 404
    await client.aclose()


async def test_what_is_sent_is_shown_to_nobody_who_is_not_logged_in(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/app/sessions/{uuid4()}/sent")).headers["location"].startswith("/app/login")


async def say(shop: Shop, session: object, token: str | None = None, **form: str) -> httpx.Response:
    page = await shop.see(f"/sessions/{session}")
    token = hidden(page.split('class="feedback"')[1], "token") if token is None else token
    return await shop.client.post(f"/app/sessions/{session}/feedback", data={"token": token, **form})


async def kept(database: Database, shop: Shop) -> list[tuple[str, str | None]]:
    async with database.transaction(shop.project_id) as tx:
        rows = await tx.execute(select(InsightFeedback.said, InsightFeedback.reason))
        return [(row[0], row[1]) for row in rows]


async def test_a_person_can_say_right_and_change_their_mind(database: Database, shop: Shop) -> None:
    session = shop.visits["broken"].id
    answer = await say(shop, session, said="right")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/app/sessions/{session}#why")
    assert "A person said: right" in await shop.see(f"/sessions/{session}")
    await say(shop, session, said="other", reason="ux_friction")
    assert await kept(database, shop) == [("other", "ux_friction")]
    assert "A person said: it was UX friction" in (await shop.see(f"/sessions/{session}")).replace("Ux", "UX")


@pytest.mark.parametrize(
    "form",
    [{"said": "perhaps"}, {"said": "other"}, {"said": "other", "reason": "urgency"}, {"said": "other", "reason": "x"}],
)
async def test_what_cannot_be_is_refused(database: Database, shop: Shop, form: dict[str, str]) -> None:
    assert (await say(shop, shop.visits["broken"].id, **form)).status_code == 400
    assert await kept(database, shop) == []


async def test_a_form_of_somebody_elses_page_changes_nothing(database: Database, shop: Shop) -> None:
    session = shop.visits["broken"].id
    assert (await say(shop, session, token="forged", said="right")).status_code == 403
    page = await shop.see(f"/sessions/{session}")
    token = hidden(page.split('class="feedback"')[1], "token")
    answer = await shop.client.post(
        f"/app/sessions/{session}/feedback",
        data={"token": token, "said": "right"},
        headers={"sec-fetch-site": "cross-site"},
    )
    assert answer.status_code == 403
    assert await kept(database, shop) == []
