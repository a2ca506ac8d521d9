"""A shop whose server signs who is logged in, in a real browser, against a whole server that requires it."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from adapters.postgres.engine import DatabaseUrls
from insights.identity.proof import sign
from tests.browser import PERSON
from tests.demo import serving as pages
from tests.e2e.server import serving, until

pytestmark = pytest.mark.browser


async def test_only_who_the_shops_server_signed_is_that_customer(
    database_urls: DatabaseUrls, tmp_path: Path, browser: Browser
) -> None:
    async with serving(database_urls, tmp_path) as server, httpx.AsyncClient(base_url=server.url) as client:
        write, admin = await server.key("write", "*"), await server.key("secret", "*")
        client.headers["authorization"] = f"Bearer {admin}"
        secret = (await client.post("/v1/identity/secrets", json={})).json()["secret"]
        assert (await client.patch("/v1/identity", json={"mode": "required"})).status_code == 200

        async def page(request: Request) -> HTMLResponse:
            signature = json.dumps(request.query_params["signature"])
            says = f'const logIn = () => whyleft.identify({{user_id: "42", signatures: {{user_id: {signature}}}}})'
            script = f'<script src="{server.url}/sdk/whyleft.js" data-key="{write}"></script><script>{says}</script>'
            return HTMLResponse(f"{script}<h1>Shop</h1>")

        async with pages.serving(Starlette(routes=[Route("/", page)])) as shop:
            named = []
            for signature in (sign(secret.encode(), "user_id", "42"), sign(secret.encode(), "user_id", "43")):
                context = await browser.new_context(user_agent=PERSON)
                tab = await context.new_page()
                await tab.goto(f"{shop}/?whyleft=debug&signature={signature}")
                # The overlay tells of answers from then on.
                await tab.locator("whyleft-debug li", has_text="page_viewed").wait_for()
                async with tab.expect_response(lambda one: "/v1/events" in one.url and one.status == 200):
                    await tab.evaluate("logIn(); whyleft.flush()")
                visitor = await tab.evaluate("whyleft.visitor()")
                doubted = tab.locator("whyleft-debug li", has_text="not believed")
                if named:
                    await doubted.wait_for()

                async def told(visitor: str = visitor) -> bool:
                    answer = await client.get(f"/v1/visitors/{visitor}")
                    return answer.status_code == 200 and bool(named or answer.json()["identifiers"])

                await until(told)
                named.append((await client.get(f"/v1/visitors/{visitor}")).json()["identifiers"])
                await context.close()
        assert [len(one) for one in named] == [1, 0]
        [known] = named[0]
        assert known["kind"] == "user_id"
        counted = (await client.get("/v1/identity")).json()["claims"]
        assert {(one["verdict"], one["claims"]) for one in counted} == {("signed", 1), ("wrong", 1)}
