"""The demo shop's JSON API: the cart, the coupon, the checkout, and the ways they fail when broken on purpose."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from insights.demo.basket import (
    DELIVERY_MINOR,
    FREE_FROM_MINOR,
    Basket,
    NotNow,
    answer_step,
    change,
    contents,
    delivery_minor,
    totals,
)
from insights.demo.carts import Order, Sessions, ShopSession
from insights.demo.catalogue import Catalogue
from insights.demo.coupon import redeem

log = structlog.get_logger()

COOKIE: Final = "shop_session"
BREAK_HEADER: Final = "X-Demo-Break"
LARGEST_BODY: Final = 16_384


class ShopApi:
    """Handlers of ``/api``. The header X-Demo-Break lists what this browser's owner broke, comma separated:
    cart-fails, slow-checkout, high-shipping, coupon-refused. (dead-button is broken in the page.)
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        sessions: Sessions,
        left: dict[str, int],
        api_url: str,
        secret_key: str | None,
        slow_seconds: float,
    ) -> None:
        self._catalogue = catalogue
        self._sessions = sessions
        self._left = left
        self._api_url = api_url
        self._secret_key = secret_key
        self._slow_seconds = slow_seconds

    async def read_cart(self, request: Request) -> Response:
        session = self._sessions.find(request.cookies.get(COOKIE)) or ShopSession()
        return self._answer(session.basket, _broken(request))

    async def change_cart(self, request: Request) -> Response:
        """``{"product_id", "add": n}`` or ``{"product_id", "set": n}`` → the basket."""
        if "cart-fails" in _broken(request):
            log.info("cart_broken_on_purpose")
            return problem(500, "The basket is out of order.")
        body = await _json_body(request)
        product = self._catalogue.product(str(body.get("product_id")))
        if product is None:
            raise NotNow(404, "We do not sell this.", field="product_id")
        if ("add" in body) == ("set" in body):
            raise NotNow(422, "Say either how many to add or how many to set.", field="add")
        number = body.get("add", body.get("set"))
        if type(number) is not int:
            raise NotNow(422, "The quantity is a whole number.", field="quantity")
        key, session = self._session(request)
        quantity = session.basket.lines.get(product.id, 0) + number if "add" in body else number
        change(session.basket, product, quantity, in_stock=self._left[product.id])
        return self._answer(session.basket, _broken(request), cookie=key)

    async def try_coupon(self, request: Request) -> Response:
        """``{"code"}`` → the basket with its discount. One code an order."""
        body = await _json_body(request)
        code = body.get("code")
        if not isinstance(code, str) or not (code := code.strip()):
            raise NotNow(422, "Enter a code.", field="code")
        session = self._sessions.find(request.cookies.get(COOKIE)) or ShopSession()
        async with session.lock:
            basket = session.basket
            if not basket.lines:
                raise NotNow(409, "The basket is empty. Put something in first.")
            if basket.code is not None and basket.code != code:
                raise NotNow(409, "There is a code on this order already: one code an order.", field="code")
            if basket.code is None:
                if "coupon-refused" in _broken(request):
                    raise NotNow(409, "This code is not valid for the things in your basket.", field="code")
                basket.percent = await redeem(
                    code, api_url=self._api_url, secret_key=self._secret_key, order_hint=basket.order_id
                )
                basket.code = code
        return self._answer(session.basket, _broken(request))

    async def check_out(self, request: Request) -> Response:
        """``{"step", …answers}`` → the basket; the step ``review`` places the order → ``{"order_id"}``."""
        body = await _json_body(request)
        broken = _broken(request)
        if "slow-checkout" in broken:
            await asyncio.sleep(self._slow_seconds)
        session = self._sessions.find(request.cookies.get(COOKIE)) or ShopSession()
        step = str(body.get("step"))
        answer_step(session.basket, step, body, surcharge="high-shipping" in broken)
        if step != "review":
            return self._answer(session.basket, broken)
        async with session.lock:
            return JSONResponse({"order_id": self._place(session).order_id})

    def _place(self, session: ShopSession) -> Order:
        basket = session.basket
        lines = contents(basket, self._catalogue)
        if not lines or basket.contact is None:
            raise NotNow(409, "This order has been placed already.")
        for product, quantity in lines:
            change(basket, product, quantity, in_stock=self._left[product.id])
        for product, quantity in lines:
            self._left[product.id] -= quantity
        order = Order(basket.order_id, lines, totals(basket, self._catalogue), basket.contact["email"])
        session.orders[order.order_id] = order
        session.basket = Basket()
        log.info("order_placed", order_id=order.order_id, total_minor=order.totals.total_minor)
        return order

    def _session(self, request: Request) -> tuple[str | None, ShopSession]:
        """The browser's session, and the value for a new cookie when it had none."""
        session = self._sessions.find(request.cookies.get(COOKIE))
        return (None, session) if session else self._sessions.open()

    def _answer(self, basket: Basket, broken: frozenset[str], *, cookie: str | None = None) -> JSONResponse:
        sums = totals(basket, self._catalogue)
        items = [
            {
                "product_id": product.id,
                "name": product.name,
                "category": product.category,
                "price_minor": product.price_minor,
                "quantity": quantity,
                "line_minor": product.price_minor * quantity,
            }
            for product, quantity in contents(basket, self._catalogue)
        ]
        answer = JSONResponse(
            {
                "order_id": basket.order_id,
                "currency": self._catalogue.currency,
                "count": sum(basket.lines.values()),
                "items": items,
                "subtotal_minor": sums.subtotal_minor,
                "discount_minor": sums.discount_minor,
                "shipping_minor": sums.shipping_minor,
                "total_minor": sums.total_minor,
                "free_from_minor": FREE_FROM_MINOR,
                "code": basket.code,
                "percent": basket.percent,
                "delivery": {
                    method: delivery_minor(method, sums.subtotal_minor, surcharge="high-shipping" in broken)
                    for method in DELIVERY_MINOR
                },
                "next_step": basket.next_step,
                "contact": basket.contact,
                "shipping": basket.shipping,
                "payment": basket.payment,
            },
            headers={"Cache-Control": "no-store"},
        )
        if cookie is not None:
            answer.set_cookie(COOKIE, cookie, httponly=True, samesite="lax", path="/")
        return answer


def problem(status: int, detail: str, **more: str | None) -> JSONResponse:
    """An application/problem+json answer; members of ``more`` that are None are left out."""
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    body.update({name: value for name, value in more.items() if value is not None})
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def _broken(request: Request) -> frozenset[str]:
    return frozenset(name.strip() for name in request.headers.get(BREAK_HEADER, "").split(","))


async def _json_body(request: Request) -> dict[str, Any]:
    """The JSON object that came in. Raises NotNow when it is something else or too large."""
    # Only JSON: a form on somebody else's page could not send it with our cookie.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise NotNow(415, "Send JSON, with the header Content-Type: application/json.")
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > LARGEST_BODY:
            raise NotNow(413, f"Send at most {LARGEST_BODY} bytes.")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise NotNow(400, "This is not JSON.") from None
    if not isinstance(body, dict):
        raise NotNow(400, "Send a JSON object.")
    return body
