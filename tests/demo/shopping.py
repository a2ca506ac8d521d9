"""A visitor of the demo shop by HTTP: a basket filled, a checkout walked; and the server that redeems its codes."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from insights.demo.shop import create_shop

SECRET = "secret"
API = "http://127.0.0.1:9"  # discard: nothing of Whyleft answers there


class Till:
    """Answers like the Whyleft server's redeem endpoint: each code once."""

    def __init__(self) -> None:
        self.percents: dict[str, object] = {"BACK-10": 10, "BROKEN": "ten"}
        self.over = {"LATE-10"}
        self.used: set[str] = set()
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def redeem(self, request: Request) -> Response:
        code = request.path_params["code"]
        self.asked.append((code, await request.json()))
        if request.headers["authorization"] != f"Bearer {SECRET}":
            return JSONResponse({}, status_code=401)
        if code in self.over or code in self.used or code not in self.percents:
            status = 410 if code in self.over else 409 if code in self.used else 404
            return JSONResponse({"title": "no"}, status_code=status)
        self.used.add(code)
        await asyncio.sleep(0.05)
        return JSONResponse({"percent": self.percents[code]})


def shop_at(
    api_url: str = API, secret_key: str | None = SECRET, slow_seconds: float = 0.0, **urls: str | None
) -> Starlette:
    return create_shop(
        api_url=api_url,
        write_key='wk_"test',
        secret_key=secret_key,
        inbox_url=urls.get("inbox_url"),
        viewer_url=urls.get("viewer_url"),
        slow_seconds=slow_seconds,
    )


def visitor(shop: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=shop), base_url="http://shop.test")


async def put(client: httpx.AsyncClient, product_id: str, number: int = 1) -> httpx.Response:
    return await client.post("/api/cart", json={"product_id": product_id, "add": number})


SHIPPING = {
    "step": "shipping",
    "name": "Ada",
    "street": "Kade 1",
    "postcode": "1011 AB",
    "city": "Amsterdam",
    "country": "NL",
    "method": "standard",
}


async def answer(client: httpx.AsyncClient, *steps: str, breaks: str = "") -> httpx.Response:
    answers: dict[str, dict[str, Any]] = {
        "contact": {"step": "contact", "email": "ada@example.com", "mail_me": True},
        "shipping": SHIPPING,
        "payment": {"step": "payment", "method": "demo-card"},
        "review": {"step": "review"},
    }
    for step in steps:
        last = await client.post("/api/checkout", json=answers[step], headers={"X-Demo-Break": breaks})
    return last
