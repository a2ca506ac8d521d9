"""What Shopify's customers may ask of a shop: to be forgotten, and to be told what is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text

from flows.models import Conversion
from insights.models import Event, PrivacyRequest, Session, Visitor
from insights.privacy.requests import ask, carry_out
from tests.api.conftest import Api, api
from tests.sources.senders import SECRET, make, order, rows, shopify

__all__ = ["api"]


async def test_a_customer_who_is_to_be_erased_is_nowhere_afterwards(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    batch = api.batch(
        api.event("identified", {"user_id": "41", "email": "Gone@Shop.example"}), api.event("page_viewed")
    )
    batch["events"].append({"id": "no", "type": "clicked", "t": 1, "props": {"who": "gone@shop.example"}})
    await api.send(batch)
    phone = api.batch(api.event("identified", {"user_id": "41"}))
    await api.send(phone)
    stays = api.batch(api.event("identified", {"user_id": "42", "email": "stays@shop.example"}))
    await api.send(stays)
    await shopify(api, path, "orders/create", order(12, email="gone@shop.example", customer={"id": 41}))
    asked = {"customer": {"id": 41, "email": "gone@shop.example"}, "orders_to_redact": [12]}
    await shopify(api, path, "customers/redact", asked, "r-1")
    await shopify(api, path, "customers/redact", asked, "r-1")
    forgotten: list[tuple[UUID, UUID]] = []
    assert await carry_out(api.services.database, lambda project, visitor: forgotten.append((project, visitor))) == 1
    assert (api.project_id, UUID(batch["visitor"])) in forgotten
    [visitor] = await rows(api, Visitor)
    assert str(visitor.id) == stays["visitor"]
    [request] = await rows(api, PrivacyRequest)
    assert (request.who, request.done_at is not None) == ({}, True)
    assert request.outcome["visitor"] >= 1
    left = await everything(api)
    assert "gone@shop.example" not in left.lower()
    assert (api.project_id, UUID(phone["visitor"])) in forgotten
    assert not [visitor for _, visitor in forgotten if str(visitor) in left]
    assert batch["visitor"] not in left
    assert visitor.email == "stays@shop.example"


async def test_a_customer_may_have_what_is_stored_and_a_shop_may_leave(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    await shopify(api, path, "orders/create", order(13))
    asked = {"customer": {"email": "jon@shop.example"}, "orders_requested": []}
    await shopify(api, path, "customers/data_request", asked)
    [request] = (await api.client.get("/v1/privacy/requests", headers=api.headers)).json()["requests"]
    assert (request["kind"], request["done_at"]) == ("export_person", None)
    export = (await api.client.get(f"/v1/privacy/requests/{request['id']}/export", headers=api.headers)).json()
    assert [row["email"] for row in export["visitor"]] == ["jon@shop.example"]
    assert "purchased" in {row["type"] for row in export["event"]}
    await shopify(api, path, "shop/redact", {"shop_id": 1})
    assert await carry_out(api.services.database, lambda project, visitor: None) == 1
    for table in (Visitor, Event, Session, Conversion):
        assert await rows(api, table) == []


async def test_who_is_known_by_an_order_alone_is_erased_by_what_the_page_called_it(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    await api.send(api.batch(api.event("purchased", {"order_id": "gid://shopify/OrderIdentity/77"})))
    await shopify(api, path, "customers/redact", {"customer": {"id": 1}, "orders_to_redact": [77]})
    assert await carry_out(api.services.database, lambda project, visitor: None) == 1
    for table in (Visitor, Event, Session, Conversion):
        assert await rows(api, table) == []


async def test_a_request_that_cannot_be_read_holds_up_no_other(api: Api) -> None:
    batch = api.batch(api.event("identified", {"email": "gone@shop.example"}))
    await api.send(batch)
    now = datetime.now(UTC)
    async with api.services.database.transaction(api.project_id) as tx:
        broken = await ask(tx, api.project_id, "erase_person", {"email": "x@shop.example"}, "test", now)
        await tx.flush()
        await tx.execute(text("UPDATE privacy_request SET who = '\"pd1.nobody.AAAA\"'"))
        later = now + timedelta(seconds=1)
        await ask(tx, api.project_id, "erase_person", {"email": "gone@shop.example"}, "test", later)
    assert await carry_out(api.services.database, lambda project, visitor: None) == 1
    assert await rows(api, Visitor) == []
    async with api.services.database.transaction(api.project_id) as tx:
        left = await tx.scalars(select(PrivacyRequest.id).where(PrivacyRequest.done_at.is_(None)))
        assert list(left) == [broken]


async def everything(api: Api) -> str:
    """All rows of all of the project's tables, as text."""
    async with api.services.database.transaction(api.project_id) as tx:
        tables = await tx.scalars(
            text(
                "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
                "AND a.attname = 'project_id' "
                "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace"
            )
        )
        found = []
        for table in list(tables):
            found += list(await tx.scalars(text(f"SELECT t::text FROM {table} t")))  # noqa: S608
            if table == "rejected_event":
                found += list(await tx.scalars(text("SELECT convert_from(raw, 'UTF8') FROM rejected_event")))
    return "\n".join(found)
