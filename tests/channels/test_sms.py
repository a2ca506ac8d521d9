"""Short messages: what they cost, whom they reach, and what comes back."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from adapters.channels.contract import Accepted, Callback, CallbackRefused, Rejected, SendIntent
from adapters.channels.errors import ChannelMisconfigured
from adapters.channels.kinds import open_channel
from adapters.channels.phone import PhoneInvalid, e164
from adapters.channels.sms.message import asks_to_start, asks_to_stop
from adapters.channels.sms.segments import size_of
from tests.channels.contract.examples.sms import ACCOUNT, CANARY, TO
from tests.channels.contract.far_side import Reply, line_to, provider

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
URL = "https://whyleft.example/v1/callbacks/c1"


@pytest.mark.parametrize(
    ("text", "encoding", "segments"),
    [
        ("", "GSM-7", 1),
        ("a" * 160, "GSM-7", 1),
        ("a" * 161, "GSM-7", 2),
        ("a" * 306, "GSM-7", 2),
        ("a" * 307, "GSM-7", 3),
        ("€" * 80, "GSM-7", 1),
        ("€" * 81, "GSM-7", 2),
        # 152 and a euro sign: the sign does not fit into the last place of the first segment.
        ("a" * 152 + "€" + "a" * 151, "GSM-7", 2),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 3),
        ("ä" * 160, "GSM-7", 1),
        ("“" + "a" * 69, "UCS-2", 1),
        ("“" + "a" * 70, "UCS-2", 2),
        ("🛒" * 35, "UCS-2", 1),
        ("🛒" * 36, "UCS-2", 2),
        # 67 places hold 33 carts; a cart is never split.
        ("🛒" * 66, "UCS-2", 2),
        ("🛒" * 67, "UCS-2", 3),
    ],
)
def test_segments_are_counted_as_phones_put_them_together(text: str, encoding: str, segments: int) -> None:
    size = size_of(text)
    assert (size.encoding, size.segments) == (encoding, segments)


def test_the_characters_that_cost_most_are_named() -> None:
    assert size_of("“Hello” – you").strangers == "“”–"


@given(st.text(max_size=800))
def test_a_longer_text_never_takes_fewer_segments(text: str) -> None:
    assert size_of(text + "a").segments >= size_of(text).segments


def test_numbers_are_written_as_networks_take_them() -> None:
    assert e164("+49 (151) 1234-5678") == "+4915112345678"
    assert e164("0151 12345678", "DE") == "+4915112345678"
    with pytest.raises(PhoneInvalid, match="country code"):
        e164("0151 12345678")
    with pytest.raises(PhoneInvalid, match="numbering plan"):
        e164("+49 151 1")
    with pytest.raises(PhoneInvalid):
        e164("call me")


def test_only_the_whole_word_ends_or_starts_messages() -> None:
    assert all(asks_to_stop(word) for word in ("STOP", " stop. ", "Unsubscribe", "OPT-OUT", "arrêt".replace("ê", "e")))
    assert not asks_to_stop("please do not stop")
    assert asks_to_start("Start")
    assert not asks_to_start("stop")


async def test_a_name_as_sender_is_not_tried_where_networks_refuse_it() -> None:
    channel = open_channel("twilio", {"account_sid": ACCOUNT, "sender": "My Shop"}, {"auth_token": CANARY}, line_to(1))
    result = await channel.send(SendIntent("k", "+1 202 555 0143", {"text": "Hi"}))
    assert isinstance(result, Rejected)
    assert "messaging service" in result.why


@pytest.mark.parametrize("sender", ["+49 1", "12", "A name that is long", "1234567890"])
def test_a_sender_that_is_none_is_refused_by_name(sender: str) -> None:
    with pytest.raises(ChannelMisconfigured, match="settings: sender"):
        open_channel("twilio", {"account_sid": ACCOUNT, "sender": sender}, {"auth_token": CANARY}, line_to(1))


async def test_an_accepted_message_tells_what_it_took() -> None:
    async with provider() as far:
        far.replies = {"POST /2010": Reply(201, {"sid": "SM1", "status": "queued"})}
        channel = open_channel(
            "twilio", {"account_sid": ACCOUNT, "sender": "+15005550006"}, {"auth_token": CANARY}, line_to(far.port)
        )
        result = await channel.send(SendIntent("k", TO, {"text": "🛒" * 36}))
    assert isinstance(result, Accepted)
    assert result.detail == "2 segments (UCS-2)"


def signed(form: dict[str, str], url: str, secret: str = CANARY) -> Callback:
    text = url + "".join(name + value for name, value in sorted(form.items()))
    signature = base64.b64encode(hmac.digest(secret.encode(), text.encode(), hashlib.sha1)).decode()
    return Callback(url, {"x-twilio-signature": signature}, urlencode(form).encode(), NOW)


async def test_a_status_names_the_delivery_even_when_the_answer_was_lost() -> None:
    channel = open_channel(
        "twilio", {"account_sid": ACCOUNT, "sender": "+15005550006"}, {"auth_token": CANARY}, line_to(1)
    )
    url = URL + "?delivery=d-1"
    (event,) = await channel.parse_callback(signed({"MessageSid": "SM1", "MessageStatus": "delivered"}, url))
    assert (event.kind, event.key, event.provider_id, event.id) == ("delivered", "d-1", "SM1", "SM1:delivered")
    undelivered = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30005"}
    (event,) = await channel.parse_callback(signed(undelivered, url))
    assert event.kind == "bounced"
    assert await channel.parse_callback(signed({"MessageSid": "SM1", "MessageStatus": "sent"}, url)) == []


async def test_a_reply_of_stop_is_heard_in_either_spelling() -> None:
    channel = open_channel(
        "twilio", {"account_sid": ACCOUNT, "sender": "+15005550006"}, {"auth_token": CANARY}, line_to(1)
    )
    told = {"MessageSid": "SM2", "From": TO, "To": "+15005550006", "Body": "Bitte nicht mehr", "OptOutType": "STOP"}
    (event,) = await channel.parse_callback(signed(told, URL))
    assert (event.kind, event.recipient) == ("unsubscribed", TO)
    (event,) = await channel.parse_callback(signed({"MessageSid": "SM3", "From": TO, "Body": " Stop "}, URL))
    assert event.kind == "unsubscribed"
    (event,) = await channel.parse_callback(signed({"MessageSid": "SM4", "From": TO, "Body": "START"}, URL))
    assert event.kind == "resubscribed"
    assert await channel.parse_callback(signed({"MessageSid": "SM5", "From": TO, "Body": "Thanks!"}, URL)) == []


async def test_a_callback_that_twilio_did_not_sign_is_refused() -> None:
    channel = open_channel(
        "twilio", {"account_sid": ACCOUNT, "sender": "+15005550006"}, {"auth_token": CANARY}, line_to(1)
    )
    genuine = signed({"MessageSid": "SM2", "From": TO, "Body": "STOP"}, URL)
    for forged in (
        Callback(URL, {}, genuine.raw, NOW),
        Callback(URL, genuine.headers, genuine.raw.replace(b"STOP", b"START"), NOW),
        Callback(URL + "?delivery=x", genuine.headers, genuine.raw, NOW),
        signed({"MessageSid": "SM2", "From": TO, "Body": "STOP"}, URL, "another-token-of-theirs"),
    ):
        with pytest.raises(CallbackRefused, match="auth_token"):
            await channel.parse_callback(forged)


async def test_a_provider_without_a_kind_reports_by_our_own_signature() -> None:
    secret = "whsec_" + base64.b64encode(b"s" * 32).decode()
    channel = open_channel(
        "http_sms",
        {"url": "https://sms.example/send", "sender": "Shop"},
        {"token": CANARY, "callback_secret": secret},
        line_to(1),
    )
    at = datetime.now(UTC)
    body = json.dumps({"id": "e1", "type": "opted_out", "to": TO})
    headers = {
        "webhook-id": "e1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("e1", at, body),
    }
    (event,) = await channel.parse_callback(Callback(URL, headers, body.encode(), at))
    assert (event.kind, event.recipient) == ("unsubscribed", TO)
    with pytest.raises(CallbackRefused):
        await channel.parse_callback(Callback(URL, headers, body.replace("opted_out", "opted_in").encode(), at))
    with pytest.raises(CallbackRefused):
        await channel.parse_callback(Callback(URL, headers | {"webhook-timestamp": "1"}, body.encode(), at))
