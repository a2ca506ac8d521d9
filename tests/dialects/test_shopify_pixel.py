"""Shopify's Web Pixel events in our words."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from insights.events.dialects import shopify_pixel
from insights.events.dialects.names import SHOPIFY_PIXEL
from insights.events.dialects.translation import Envelope, Untranslatable
from insights.events.wire import Limits
from insights.models import Event, Visitor
from insights.vocabulary.events import PROPS
from insights.vocabulary.ids import uuid7
from tests.api.conftest import Api, api

__all__ = ["api"]

VARIANT = {
    "id": "42",
    "title": "Red",
    "sku": "S",
    "price": {"amount": 19.9, "currencyCode": "EUR"},
    "product": {"id": "gid://shopify/Product/7", "title": "Shirt", "type": "Shirts", "vendor": "V"},
}
CHECKOUT = {
    "token": "tok",
    "currencyCode": "EUR",
    "email": "buyer@shop.example",
    "totalPrice": {"amount": 45.3, "currencyCode": "EUR"},
    "lineItems": [{"title": "Shirt", "quantity": 2, "variant": VARIANT}],
    "order": {"id": "gid://shopify/OrderIdentity/1001", "customer": {"id": "gid://shopify/Customer/5"}},
}
DATA: dict[str, Any] = {
    "productVariant": VARIANT,
    "cartLine": {"merchandise": VARIANT, "quantity": 2, "cost": {"totalAmount": {"amount": 39.8}}},
    "checkout": CHECKOUT,
    "searchResult": {"query": "shirt", "productVariants": [VARIANT]},
}


def event(name: str, **other: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "name": name,
        "clientId": "b9a8c8d0-1111-4222-8333-444455556666",
        "timestamp": "2026-11-21T08:00:00.000Z",
        "type": "standard",
        "context": {"document": {"location": {"href": "https://s.example/p?x=1", "pathname": "/p"}, "title": "P"}},
        "data": DATA,
        **other,
    }


def test_every_name_in_the_table_is_one_of_our_types_and_has_a_reader() -> None:
    for name, type_ in SHOPIFY_PIXEL.items():
        assert type_ in PROPS
        [said] = shopify_pixel.translate(event(name), Envelope(received_ms=0))
        assert (said.type, said.url) == (type_, "https://s.example/p?x=1"), name


def test_products_and_orders_have_the_numbers_that_webhooks_use() -> None:
    [viewed] = shopify_pixel.translate(event("product_viewed"), Envelope(received_ms=0))
    assert viewed.props == {
        "product_id": "7",
        "name": "Shirt",
        "category": "Shirts",
        "price_minor": 1990,
        "currency": "EUR",
    }
    [bought] = shopify_pixel.translate(event("checkout_completed"), Envelope(received_ms=0))
    assert (bought.props["order_id"], bought.props["value_minor"]) == ("1001", 4530)
    assert (bought.who.user_id, bought.who.email) == ("5", "buyer@shop.example")


def test_a_custom_event_keeps_its_own_data() -> None:
    [said] = shopify_pixel.translate(event("size_chart_opened", customData={"size": "M"}), Envelope(received_ms=0))
    assert (said.type, said.props) == ("custom", {"name": "size_chart_opened", "props": {"size": "M"}})


def test_an_event_about_nobody_and_one_without_a_name_say_what_is_missing() -> None:
    with pytest.raises(Untranslatable, match="clientId: is missing"):
        shopify_pixel.translate(event("page_viewed", clientId=None), Envelope(received_ms=0))
    with pytest.raises(Untranslatable, match="name: is missing"):
        shopify_pixel.translate({"clientId": "x"}, Envelope(received_ms=0))


async def test_the_checkout_joins_the_visit_that_the_sdk_reports_where_the_pixel_knows_it(api: Api) -> None:
    visitor, session = str(uuid4()), str(uuid7())
    now = api.event()["t"]
    body = {
        "visitor": visitor,
        "session": session,
        "events": [event("checkout_completed", timestamp=None), event("page_viewed", timestamp=None)],
    }
    answer = await api.client.post("/v1/shopify/pixel", params={"key": api.write}, json=body)
    assert answer.json() == {"success": True}
    single = event("cart_viewed", timestamp=now)
    answer = await api.client.post("/v1/shopify/pixel", params={"key": api.write}, json=single)
    assert answer.json() == {"success": True}
    async with api.services.database.transaction(api.project_id) as tx:
        events = list(await tx.scalars(select(Event)))
        known = await tx.get(Visitor, (api.project_id, visitor))
    joined = [row.type for row in events if (str(row.visitor_id), str(row.session_id)) == (visitor, session)]
    assert sorted(joined) == ["identified", "page_viewed", "purchased"]
    assert known is not None
    assert (known.email, known.user_id) == ("buyer@shop.example", "5")
    assert [str(row.visitor_id) for row in events if row.type == "custom"] == [single["clientId"]]


@pytest.mark.parametrize(("name", "field"), [("checkout_started", "products"), ("checkout_completed", "items")])
def test_a_checkout_of_many_products_with_long_names_fits_an_event(name: str, field: str) -> None:
    variant = {**VARIANT, "product": {"id": "1", "title": "Чайник " * 36}}
    lines = [{"quantity": 1, "variant": variant}] * 100
    told = event(name, data={"checkout": {**CHECKOUT, "lineItems": lines}})
    [translated] = shopify_pixel.translate(told, Envelope(1_795_300_000_000))
    assert 20 < len(translated.props[field]) < 100
    assert len(json.dumps(translated.props, ensure_ascii=False).encode()) < Limits().event_bytes
