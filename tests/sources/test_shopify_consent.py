"""A customer who leaves the shop's letters at Shopify gets none of ours, until they come back there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from sqlalchemy.dialects.postgresql import insert

from flows.models import Suppression
from insights.events.dialects.shopify_consent import TOPICS, wish_of
from tests.api.conftest import Api, api
from tests.dialects.hostile import any_json
from tests.sources.senders import SECRET, make, rows, shopify

__all__ = ["api"]

NOW = datetime.now(UTC)
EMAIL, SMS = "customers_email_marketing_consent/update", "customers_marketing_consent/update"


def by_email(state: str, minutes: int = 0, address: str | None = "Jon@shop.example") -> dict[str, Any]:
    at = (NOW - timedelta(hours=1) + timedelta(minutes=minutes)).isoformat()
    consent = {"state": state, "opt_in_level": "single_opt_in", "consent_updated_at": at}
    return {"customer_id": 115310627314723950, "email_address": address, "email_marketing_consent": consent}


async def silenced(api: Api) -> set[tuple[str, str]]:
    return {(one.channel, one.recipient) for one in await rows(api, Suppression)}


BOTH = {("email", "Jon@shop.example"), ("email", "jon@shop.example")}


async def test_who_unsubscribes_at_shopify_is_written_to_no_more(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    for _ in range(2):
        assert (await shopify(api, path, EMAIL, by_email("unsubscribed")))["ignored"] == 0
    assert await silenced(api) == BOTH
    by_phone = {"state": "unsubscribed", "consent_updated_at": None, "consent_collected_from": "shopify"}
    await shopify(api, path, SMS, {"id": 7, "phone": "+491701234567", "sms_marketing_consent": by_phone})
    assert await silenced(api) == BOTH | {("sms", "+491701234567")}


@pytest.mark.parametrize(
    ("said", "sent_to"),
    [("Jon@Bücher.example", "jon@xn--bcher-kva.example"), ("jon@ｓhop.example", "jon@shop.example")],
)
async def test_who_unsubscribes_is_left_alone_at_the_address_that_mails_go_to(
    api: Api, said: str, sent_to: str
) -> None:
    path, _ = await make(api, "shopify", SECRET)
    await shopify(api, path, EMAIL, by_email("unsubscribed", address=said))
    assert ("email", sent_to) in await silenced(api)
    await shopify(api, path, EMAIL, by_email("subscribed", 10, address=said))
    assert await silenced(api) == set()


@pytest.mark.parametrize(("came_back", "left"), [(10, set()), (-10, BOTH)])
async def test_who_comes_back_later_is_written_to_again(api: Api, came_back: int, left: set[Any]) -> None:
    path, _ = await make(api, "shopify", SECRET)
    await shopify(api, path, EMAIL, by_email("unsubscribed"))
    await shopify(api, path, EMAIL, by_email("subscribed", came_back))
    assert await silenced(api) == left


async def test_coming_back_undoes_no_bounce(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    async with api.services.database.transaction(api.project_id) as tx:
        bounced = {
            "channel": "email",
            "recipient": "jon@shop.example",
            "reason": "bounced",
            "at": NOW - timedelta(days=9),
        }
        await tx.execute(insert(Suppression).values(project_id=api.project_id, **bounced))
    for state in ("unsubscribed", "subscribed"):
        await shopify(api, path, EMAIL, by_email(state, 5 * (state == "subscribed")))
    assert await silenced(api) == {("email", "jon@shop.example")}


@pytest.mark.parametrize(
    "document",
    [by_email("not_subscribed"), by_email("pending"), by_email("unsubscribed", address=None), {"customer_id": 7}],
)
async def test_what_is_no_choice_of_anybodys_is_heard_and_changes_nothing(api: Api, document: Any) -> None:
    path, _ = await make(api, "shopify", SECRET)
    assert (await shopify(api, path, EMAIL, document))["ignored"] == 1
    assert await silenced(api) == set()


@given(any_json, any_json, any_json)
def test_whatever_comes_instead_is_no_choice_or_one_that_can_be_kept(state: Any, at: Any, address: Any) -> None:
    for topic in TOPICS:
        for said in (state, "unsubscribed"):
            consent = {"state": said, "consent_updated_at": at}
            body = {"email_address": address, "phone": address}
            body |= {"email_marketing_consent": consent, "sms_marketing_consent": consent}
            wish = wish_of(topic, body, 1_795_300_000_000)
            assert wish is None or (wish.recipient.encode() and wish.at.year >= 1)
        assert wish_of(topic, state, 1_795_300_000_000) is None
