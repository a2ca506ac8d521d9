"""The shop over HTTP: what it earns, what it promises, whom it leaves alone to measure by."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from insights.api.caller import SecretCaller
from insights.api.etag import IfMatch, etag_of, version_of
from insights.api.given import Number, Whole
from insights.api.services import FromRequest
from insights.api.stored import StoredBody
from insights.models import Shop
from insights.plans.shop import change_shop, shop_of

router = APIRouter(prefix="/v1/shop", tags=["live actions"])

MOST_MINOR = 10**12


class ShopIn(StoredBody):
    """What is left out stays as it is; null takes a value back."""

    currency: str | None = Field(None, pattern="^[A-Z]{3}$", description="ISO 4217, such as EUR.")
    margin_rate: Number | None = Field(
        None, ge=0, le=1, description="Margin as a share of an order's value: rewards are counted in margin then."
    )
    shipping_cost_minor: Whole | None = Field(None, ge=0, le=MOST_MINOR, description="What delivery costs the shop.")
    free_shipping_from_minor: Whole | None = Field(
        None, ge=0, le=MOST_MINOR, description="Carts from here on are delivered free of charge."
    )
    contact_href: str = Field("", max_length=500, pattern="^(/[^/\\\\].*|/|https://.+|mailto:.+|)$")
    holdout: Number = Field(
        0.0, ge=0, le=0.5, description="Share of visitors who get nothing, on site or after it, to measure lift by."
    )


class ShopOut(BaseModel):
    """The shop as it stands."""

    currency: str | None
    margin_rate: float | None
    shipping_cost_minor: int | None
    free_shipping_from_minor: int | None
    contact_href: str
    holdout: float
    version: int
    updated_at: datetime


@router.get("", response_model=ShopOut)
async def get_shop(caller: SecretCaller, services: FromRequest, response: Response) -> ShopOut:
    """What the shop says of itself, with its ETag."""
    async with services.database.transaction(caller.project_id) as tx:
        return _out(await shop_of(tx, caller.project_id), response)


@router.patch("", response_model=ShopOut)
async def patch_shop(
    body: ShopIn, caller: SecretCaller, services: FromRequest, response: Response, if_match: IfMatch = None
) -> ShopOut:
    """Changes what is given. Running processes decide by it within seconds."""
    async with services.database.transaction(caller.project_id) as tx:
        shop = await change_shop(
            tx, caller.project_id, body.model_dump(exclude_unset=True), datetime.now(UTC), version_of(if_match)
        )
        return _out(shop, response)


def _out(shop: Shop, response: Response) -> ShopOut:
    response.headers["etag"] = etag_of(shop.version)
    return ShopOut.model_validate(shop, from_attributes=True)
