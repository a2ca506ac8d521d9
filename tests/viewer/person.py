"""Somebody with a role who fills in forms of the whole application, beside a program that uses its API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape

import httpx
import pytest

from insights.access.keys import make_key
from insights.access.roles import Role
from tests.api.conftest import Api
from tests.viewer.conftest import hidden, log_in


class Person:
    """A browser that is logged in."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def see(self, path: str, status: int = 200) -> str:
        answer = await self.client.get(f"/app{path}")
        assert answer.status_code == status, answer.text[:2000]
        return unescape(answer.text)

    async def send(self, page: str, path: str, **fields: str) -> httpx.Response:
        """Fills in a form of ``page``, with the revision that stands in it."""
        shown = (await self.client.get(f"/app{page}")).text.split("</header>")[-1]
        revision = {"revision": hidden(shown, "revision")} if 'name="revision"' in shown else {}
        return await self.client.post(f"/app{path}", data={"token": hidden(shown, "token"), **revision, **fields})


@asynccontextmanager
async def _inside(api: Api, role: Role) -> AsyncIterator[Person]:
    async with api.services.database.transaction(api.project_id) as tx:
        _, key = make_key(tx, api.project_id, "secret", role=role, name=f"the {role}")
    async with httpx.AsyncClient(transport=api.client._transport, base_url="http://api.test") as client:
        assert (await log_in(client, key)).status_code == 303
        yield Person(client)


@pytest.fixture
async def editor(api: Api) -> AsyncIterator[Person]:
    async with _inside(api, Role.EDITOR) as person:
        yield person


@pytest.fixture
async def reader(api: Api) -> AsyncIterator[Person]:
    async with _inside(api, Role.READER) as person:
        yield person
