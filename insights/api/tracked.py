"""Where the links of a message lead: on to their target, counted; an invisible image; the cart as it was left."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from insights.api.services import FromRequest
from insights.errors import NotFound, Refused
from insights.recovery.links import Target
from insights.recovery.tracking import cart_of_run, note_visit
from insights.wiring.services import Services

log = structlog.get_logger()

router = APIRouter(prefix="/v1", tags=["messages"])

_DOT: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_QUIET: Final = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex"}


class CartOut(BaseModel):
    """What was in the cart: product_id, name, price_minor and quantity of each, in minor units of ``currency``."""

    currency: str | None
    value_minor: int | None
    items: list[dict[str, Any]]


@router.api_route("/l/{token}", methods=["GET", "HEAD"], include_in_schema=False)
async def follow(token: str, request: Request, services: FromRequest) -> Response:
    """On to where the link leads. A HEAD is no click; a database that is away keeps nobody from the shop."""
    target = _read(services, token, "click")
    if request.method == "GET":
        await _note(services, target)
    return Response(status_code=302, headers={**_QUIET, "location": _location(target.url)})


@router.get("/o/{token}", include_in_schema=False)
async def opened(token: str, services: FromRequest) -> Response:
    """An image of one dot."""
    await _note(services, _read(services, token, "open"))
    return Response(_DOT, headers=_QUIET, media_type="image/gif")


@router.get("/carts/{token}", response_model=CartOut)
async def saved_cart(token: str, services: FromRequest, response: Response) -> CartOut:
    """The cart that a link in a message leads back to, for the shop's page to fill it again. Any page may ask."""
    target = _read(services, token, "cart")
    async with services.database.transaction(target.project_id) as tx:
        cart = await cart_of_run(tx, target.project_id, target.run_id)
    if cart is None:
        raise NotFound("This cart is not kept any more.")
    response.headers.update({"access-control-allow-origin": "*", "cache-control": "no-store"})
    return CartOut(currency=cart.get("currency"), value_minor=cart.get("value_minor"), items=cart["items"])


def _read(services: Services, token: str, kind: str) -> Target:
    target = services.composer.links.read(token, datetime.now(UTC))
    if target.kind != kind:
        raise Refused("This link is for something else. Open it from the message again.")
    return target


def _location(url: str) -> str:
    """``url`` in the letters of a header: a name or a page of a visitor's may stand in it, with line breaks and all."""
    return quote(url, safe="!#$%&'()*+,/:;=?@[]~")


async def _note(services: Services, target: Target) -> None:
    try:
        async with services.database.transaction(target.project_id) as tx:
            await note_visit(tx, target, datetime.now(UTC))
    except (SQLAlchemyError, OSError) as error:
        log.warning("visit_not_noted", kind=target.kind, error=type(error).__name__)
