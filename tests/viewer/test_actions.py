"""The page of live actions: the catalogue, who decides, and the way up and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest

from adapters.postgres.engine import Database
from insights.decisions.entries import Entry
from insights.learning.learner import Learner
from insights.learning.promotion import challenge
from insights.plans.entries import create_entry
from insights.plans.shop import change_shop
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.stages import Stage
from insights.worker import ensure_partitions
from tests.learning.shop import MadeShop
from tests.viewer.conftest import log_in
from tests.viewer.seed import NOW, Keys


@pytest.fixture
async def inside(client: httpx.AsyncClient, keys: Keys, database: Database, project_id: UUID) -> httpx.AsyncClient:
    await ensure_partitions(database)
    await log_in(client, await keys.make(database, project_id))
    return client


async def test_before_anything_was_learned_the_page_says_how_it_begins(inside: httpx.AsyncClient) -> None:
    answer = await inside.get("/app/actions")
    assert answer.status_code == 200
    assert "Nothing has been learned yet" in answer.text
    assert "lift cannot be measured" in answer.text
    assert answer.text.count("Built in") == 9


async def test_the_catalogue_shows_the_shops_own_actions_escaped(
    inside: httpx.AsyncClient, database: Database, project_id: UUID
) -> None:
    words = {"default": {"title": "a", "body": "b"}}
    entry = Entry("<b>mine</b>", LiveAction.TRUST_CARD, "banner", words, (Stage.BROWSER,), enabled=False)
    async with database.transaction(project_id) as tx:
        await change_shop(tx, project_id, {"holdout": 0.1, "currency": "EUR", "margin_rate": 0.4}, NOW)
        await create_entry(tx, project_id, entry, NOW)
    text = (await inside.get("/app/actions")).text
    assert "&lt;b&gt;mine&lt;/b&gt;" in text
    assert "10 % of visitors get nothing" in text.replace("\u202f", " ").replace("\xa0", " ") or "10%" in text


async def test_a_challenger_is_evaluated_and_cannot_be_promoted_before_the_data_can_tell(
    inside: httpx.AsyncClient, database: Database, project_id: UUID
) -> None:
    shop = MadeShop(database, project_id)
    await shop.crowd(30, {LiveAction.CART_SAVE: 0.5, LiveAction.DO_NOTHING: 0.2})
    await Learner(database, lambda: datetime.now(UTC)).learn(project_id)
    async with database.transaction(project_id) as tx:
        rival = await challenge(tx, project_id, "sampler", {"explorer": "thompson"}, datetime.now(UTC))
    listed = (await inside.get("/app/actions")).text
    assert "sampler" in listed
    assert "30 outcomes" in listed
    page = await inside.get(f"/app/policies/{rival.id}")
    assert page.status_code == 200
    token = re.findall(r'name="token" value="([^"]+)"', page.text)[-1]
    refused = await inside.post(f"/app/policies/{rival.id}/promote", data={"token": token})
    assert refused.status_code == 409
    assert "Not promoted" in refused.text


async def test_a_form_of_somebody_else_changes_nothing(inside: httpx.AsyncClient) -> None:
    for path in ("/app/policies/rollback", "/app/policies/00000000-0000-0000-0000-000000000001/promote"):
        assert (await inside.post(path, data={"token": "x"})).status_code == 403


async def test_a_policy_that_is_not_there_is_told_so(inside: httpx.AsyncClient) -> None:
    assert (await inside.get("/app/policies/00000000-0000-0000-0000-000000000001")).status_code == 404
    assert (await inside.get("/app/policies/none")).status_code == 404


async def test_strangers_are_sent_to_the_login(client: httpx.AsyncClient) -> None:
    for path in ("/app/actions", "/app/policies/00000000-0000-0000-0000-000000000001"):
        answer = await client.get(path)
        assert answer.status_code == 303
        assert "/login" in answer.headers["location"]
