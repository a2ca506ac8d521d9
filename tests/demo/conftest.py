"""A visitor of the demo shop, and the server that redeems its codes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from tests.demo.serving import serving
from tests.demo.shopping import Till, shop_at, visitor


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture
async def till_url(till: Till) -> AsyncIterator[str]:
    app = Starlette(routes=[Route("/v1/codes/{code}/redeem", till.redeem, methods=["POST"])])
    async with serving(app) as url:
        yield url


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with visitor(shop_at()) as client:
        yield client
