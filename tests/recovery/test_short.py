"""Short messages and pushes: to whom, in which words, and what comes of a subscription."""

from __future__ import annotations

import base64
import os
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select

from adapters.postgres.engine import Database
from flows.models import Suppression
from insights.events.people import Said
from insights.events.subscriptions import MOST_OF_A_VISITOR, told_in, write_subscriptions
from insights.events.visitors import write_said
from insights.events.wire import WireEvent
from insights.models import PushSubscription, Visitor
from insights.vocabulary.ids import ms_to_datetime
from tests.recovery.sessions import START
from tests.recovery.test_compose import compose, composed, skipped
from tests.recovery.visitors import visitor

PHONE = "+49 151 1234 5678"
T0 = 1_795_000_000_000


def browser(number: int = 1) -> dict[str, Any]:
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    raw = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    text = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (raw, os.urandom(16))]
    return {
        "endpoint": f"https://updates.push.services.mozilla.com/wpush/v2/{number}",
        "keys": {"p256dh": text[0], "auth": text[1]},
    }


async def tell(database: Database, project_id: UUID, visitor_id: UUID, traits: dict[str, Any], at: int = 0) -> None:
    event = WireEvent(uuid4(), T0 + at, "identified", 0, {"traits": traits})
    said = [Said(visitor_id, uuid4(), event, ms_to_datetime(T0 + 60_000))]
    async with database.transaction(project_id) as tx:
        await write_said(tx, project_id, said)
        await write_subscriptions(tx, project_id, said)


async def subscriptions(database: Database, project_id: UUID) -> list[PushSubscription]:
    async with database.transaction(project_id) as tx:
        return list(await tx.scalars(select(PushSubscription).order_by(PushSubscription.told_at)))


async def test_an_sms_goes_to_the_number_as_networks_write_it_and_says_how_to_end_it(
    database: Database, project_id: UUID
) -> None:
    identifier = await visitor(database, project_id, phone=PHONE, consent={"marketing": True, "channels": ["sms"]})
    message = composed(await compose(database, project_id, identifier, "send_sms"))
    assert (message.channel, message.recipient, message.needs_consent) == ("sms", "+4915112345678", True)
    assert "utm_medium=sms" in message.content["text"]
    assert message.content["text"].endswith("Reply STOP to end.")
    own = {"text": "{{ shop }}: {{ code.text }} ({{ code.percent }} %) STOP ends this", "discount_percent": 15}
    message = composed(await compose(database, project_id, identifier, "send_sms", own))
    assert "(15 %)" in message.content["text"]
    assert message.content["text"].endswith("STOP ends this")


@pytest.mark.parametrize(
    ("phone", "consent", "params", "reason"),
    [
        (None, {"marketing": True}, {"message": "cart_reminder"}, "no_address"),
        ("0151 12345678", {"marketing": True}, {"message": "cart_reminder"}, "no_address"),
        (PHONE, {"marketing": True, "channels": ["email"]}, {"message": "cart_reminder"}, "no_consent"),
        (PHONE, {}, {"message": "cart_reminder"}, "no_consent"),
        (PHONE, {"marketing": True}, {"message": "no such"}, "no_such_message"),
        (PHONE, {"marketing": True}, {"text": "{{ nobody_knows }}"}, "message_broken"),
        (PHONE, {"marketing": True}, {"text": "{% for a in (1..9999999) %}x{% endfor %}"}, "message_broken"),
        (PHONE, {"marketing": True}, {"text": "hi", "discount_percent": 200}, "bad_discount"),
    ],
)
async def test_an_sms_that_cannot_be_sent_says_why(
    database: Database, project_id: UUID, phone: str | None, consent: Any, params: dict[str, Any], reason: str
) -> None:
    identifier = await visitor(database, project_id, phone=phone, consent=consent)
    assert skipped(await compose(database, project_id, identifier, "send_sms", params)) == reason


async def test_a_number_without_a_country_code_needs_a_region(database: Database, project_id: UUID) -> None:
    identifier = await visitor(database, project_id, phone="0151 12345678")
    params = {"message": "cart_reminder", "region": "de"}
    assert composed(await compose(database, project_id, identifier, "send_sms", params)).recipient == "+4915112345678"


async def test_a_subscription_is_kept_apart_from_the_visitors_traits(database: Database, project_id: UUID) -> None:
    identifier = await visitor(database, project_id)
    await tell(database, project_id, identifier, {"plan": "gold"})
    told = browser()
    await tell(database, project_id, identifier, {"push_subscription": told}, at=1)
    (row,) = await subscriptions(database, project_id)
    assert (row.visitor_id, row.kind, row.address) == (identifier, "web", told["endpoint"])
    async with database.transaction(project_id) as tx:
        assert (await tx.get_one(Visitor, (project_id, identifier))).traits == {"plan": "gold"}


async def test_a_push_goes_where_they_subscribed_last_until_it_is_gone(database: Database, project_id: UUID) -> None:
    identifier = await visitor(database, project_id, consent={"marketing": True, "channels": ["push"]})
    assert skipped(await compose(database, project_id, identifier, "send_push")) == "no_address"
    older, newer = browser(1), browser(2)
    await tell(database, project_id, identifier, {"push_subscription": newer}, at=9)
    await tell(database, project_id, identifier, {"push_subscription": older}, at=1)
    message = composed(await compose(database, project_id, identifier, "send_push"))
    assert (message.channel, message.needs_consent) == ("push", True)
    assert message.content["subscription"] == newer
    assert message.content["body"] == "What you picked is still in your cart."
    async with database.transaction(project_id) as tx:
        tx.add(
            Suppression(
                project_id=project_id, channel="push", recipient=str(message.recipient), reason="gone", at=START
            )
        )
    message = composed(await compose(database, project_id, identifier, "send_push"))
    assert message.content["subscription"] == older
    assert [row.address for row in await subscriptions(database, project_id)] == [older["endpoint"]]


async def test_an_apps_token_is_a_subscription_too(database: Database, project_id: UUID) -> None:
    identifier = await visitor(database, project_id)
    await tell(database, project_id, identifier, {"push_token": "t" * 140})
    message = composed(await compose(database, project_id, identifier, "send_push", {"title": "Hello", "body": "You"}))
    assert message.content["subscription"] == {"token": "t" * 140}


async def test_one_browser_is_one_row_of_who_told_it_last(database: Database, project_id: UUID) -> None:
    first, second = [await visitor(database, project_id) for _ in range(2)]
    told = browser()
    await tell(database, project_id, second, {"push_subscription": told}, at=5)
    await tell(database, project_id, first, {"push_subscription": told}, at=1)
    (row,) = await subscriptions(database, project_id)
    assert row.visitor_id == second


async def test_who_tells_very_many_browsers_keeps_the_newest(database: Database, project_id: UUID) -> None:
    identifier = await visitor(database, project_id)
    for number in range(MOST_OF_A_VISITOR + 3):
        await tell(database, project_id, identifier, {"push_subscription": browser(number)}, at=number)
    kept = await subscriptions(database, project_id)
    assert len(kept) == MOST_OF_A_VISITOR
    assert kept[-1].address.endswith(f"/{MOST_OF_A_VISITOR + 2}")
    assert kept[-1].told_at - kept[0].told_at == timedelta(milliseconds=MOST_OF_A_VISITOR - 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint": "https://evil.example/push"},
        {"endpoint": "http://fcm.googleapis.com/fcm/send/1"},
        {"endpoint": "https://fcm.googleapis.com.evil.example/1"},
        {"endpoint": "https://fcm.googleapis.com:8443/1"},
        {"endpoint": "https://a:b@fcm.googleapis.com/1"},
        {"endpoint": "https://fcm.googleapis.com/" + "x" * 2000},
        {"endpoint": "https://[fcm.googleapis.com/1"},
        {"endpoint": 7},
        {"keys": {}},
        {"keys": {"p256dh": "AAAA", "auth": "AAAA"}},
        {"keys": "none"},
    ],
)
def test_an_address_that_no_browser_has_is_not_kept(changes: dict[str, Any]) -> None:
    assert told_in({"push_subscription": browser() | changes}) is None
    assert told_in({"push_subscription": browser()}) is not None
