"""What the law lets a person ask for, from their page: a copy of everything, and that it goes; for admins alone."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select, update

from adapters.postgres.engine import Database
from insights.models import ApiKey, PrivacyRequest
from tests.viewer.conftest import Shop


def token_of(page: str) -> str:
    """The token of the privacy forms."""
    return re.search(r'/export"><input type="hidden" name="token" value="([^"]+)"', page)[1]  # type: ignore[index]


async def test_an_admin_gets_a_copy_of_everything_and_that_they_did_is_kept(shop: Shop, database: Database) -> None:
    where = f"/visitors/{shop.visits['broken'].visitor_id}"
    token = token_of(await shop.see(where))
    answer = await shop.client.post(f"/app{where}/export", data={"token": token})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert answer.headers["cache-control"] == "no-store"
    assert str(shop.visits["broken"].id) in answer.text
    assert str(shop.visits["buyer"].id) not in answer.text
    assert (await shop.client.post(f"/app{where}/export", data={"token": "forged"})).status_code == 403
    async with database.transaction(shop.project_id) as tx:
        [request] = (await tx.scalars(select(PrivacyRequest))).all()
    assert (request.kind, request.who, request.done_at is not None) == ("export_person", {}, True)
    assert request.outcome == {name: len(rows) for name, rows in answer.json().items()}


async def test_erasing_is_meant_and_taken_down_for_all_devices(shop: Shop, database: Database) -> None:
    visitor = shop.visits["broken"].visitor_id
    where = f"/visitors/{visitor}"
    token = token_of(await shop.see(where))
    hasty = await shop.client.post(f"/app{where}/erase", data={"token": token, "sure": "yes"})
    assert (hasty.status_code, "Nothing was erased" in hasty.text) == (400, True)
    done = await shop.client.post(f"/app{where}/erase", data={"token": token, "sure": "Erase "})
    assert (done.status_code, "They are being erased" in done.text) == (202, True)
    async with database.transaction(shop.project_id) as tx:
        asked = (await tx.scalars(select(PrivacyRequest))).all()
    assert [(request.kind, request.who) for request in asked] == [("erase_person", {"visitors": [str(visitor)]})]


@pytest.mark.parametrize("role", ["reader", "editor"])
async def test_others_are_told_who_can(shop: Shop, database: Database, role: str) -> None:
    where = f"/visitors/{shop.visits['broken'].visitor_id}"
    token = token_of(await shop.see(where))
    async with database.transaction(shop.project_id) as tx:
        await tx.execute(update(ApiKey).where(ApiKey.project_id == shop.project_id).values(role=role))
    page = await shop.see(where)
    assert "An admin of this project can export or erase" in page
    for what in ("export", "erase"):
        answer = await shop.client.post(f"/app{where}/{what}", data={"token": token, "sure": "erase"})
        assert (answer.status_code, "not for your role" in answer.text) == (403, True)
