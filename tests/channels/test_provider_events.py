"""Providers' reports: each proved by its own scheme, or refused."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.channels.contract import Callback, CallbackRefused, Channel, ProviderEvent
from adapters.channels.email_services import sns
from adapters.channels.kinds import open_channel
from adapters.channels.signed_calls import ecdsa
from tests.channels import callers
from tests.channels.bounces import KEY, NOW, POSTMARK, RESEND, SENDER, SENDGRID, SES
from tests.channels.contract.far_side import Provider, Reply, line_to, provider


def channel(kind: str, port: int = 1) -> Channel:
    line = line_to(port)
    match kind:
        case "resend":
            return open_channel(kind, SENDER, {"api_key": "k" * 8, "callback_secret": callers.SVIX_SECRET}, line)
        case "sendgrid":
            said = {**SENDER, "callback_public_key": callers.SENDGRID_PUBLIC_KEY}
            return open_channel(kind, said, {"api_key": "k" * 8}, line)
        case "postmark":
            return open_channel(kind, SENDER, {"api_key": "k" * 8, "callback_password": callers.PASSWORD}, line)
        case _:
            said = {**SENDER, "region": "eu-central-1", "topic_arn": callers.TOPIC}
            return open_channel(kind, said, {"access_key_id": "A" * 16, "secret_access_key": "s" * 16}, line)


CALLS: dict[str, Callable[[datetime], Callback]] = {
    "resend": lambda at: callers.resend(RESEND, at),
    "sendgrid": lambda at: callers.sendgrid(SENDGRID, at),
    "postmark": lambda at: callers.postmark(POSTMARK, at),
    "ses": lambda at: callers.ses(SES, at),
}


@pytest.fixture(params=sorted(CALLS))
def kind(request: pytest.FixtureRequest) -> str:
    sns._certificates.clear()
    return str(request.param)


async def with_certificate(work: Callable[[Provider], Awaitable[Any]]) -> Any:
    async with provider() as far:
        far.replies = {"GET /SimpleNotificationService-0123.pem": Reply(200, callers.certificate(NOW))}
        return await work(far)


async def heard(kind: str, call: Callback) -> list[ProviderEvent]:
    found: list[ProviderEvent] = await with_certificate(lambda far: channel(kind, far.port).parse_callback(call))
    return found


async def test_a_bounce_is_read_with_whose_it_is_and_when(kind: str) -> None:
    (event,) = await heard(kind, CALLS[kind](NOW))
    assert (event.kind, event.key, event.recipient) == ("bounced", KEY, "anna@example.com")
    assert timedelta(0) <= NOW - event.at <= timedelta(seconds=2)
    assert event.provider_id
    assert event.id
    assert "anna" not in event.id
    assert "anna@" not in (event.detail or "")


async def test_the_same_report_has_the_same_id_each_time(kind: str) -> None:
    first, second = [await heard(kind, CALLS[kind](NOW)) for _ in range(2)]
    assert [event.id for event in first] == [event.id for event in second]


async def test_a_byte_changed_anywhere_is_refused(kind: str) -> None:
    call = CALLS[kind](NOW)
    if kind == "postmark":
        return  # Nothing is signed there: whoever has the password may say anything, over TLS.
    # Amazon's certificate's address is not signed, and names another region of theirs at worst; the last bits of the
    # signature's base64, which ends the body, stand for nothing.
    address = call.raw.find(b"https://sns.")
    for place in range(0, len(call.raw) - 8, 7):
        if 0 <= address <= place < address + len(callers.CERTIFICATE_URL):
            continue
        raw = bytearray(call.raw)
        raw[place] ^= 1
        with pytest.raises(CallbackRefused):
            await heard(kind, dataclasses.replace(call, raw=bytes(raw)))


async def test_a_call_without_its_proof_or_with_another_ones_is_refused(kind: str) -> None:
    call = CALLS[kind](NOW)
    if kind != "ses":
        with pytest.raises(CallbackRefused):
            await heard(kind, dataclasses.replace(call, headers={}))
    for other in set(CALLS) - {kind}:
        with pytest.raises(CallbackRefused):
            await heard(kind, CALLS[other](NOW))


async def test_a_copy_that_somebody_kept_is_refused(kind: str) -> None:
    call = CALLS[kind](NOW)
    if kind == "postmark":
        return
    # SNS signs when it was published and tries for a while: a copy within the hour is recognised by its id.
    later = timedelta(hours=1, seconds=1) if kind == "ses" else timedelta(minutes=5, seconds=1)
    for off in (later, -later):
        with pytest.raises(CallbackRefused, match="minutes off"):
            await heard(kind, dataclasses.replace(call, at=NOW + off))
    assert await heard(kind, dataclasses.replace(call, at=NOW + timedelta(minutes=4)))


async def test_a_channel_without_its_secret_takes_nothing_and_says_what_is_missing() -> None:
    for kind, missing in (("resend", "callback_secret"), ("postmark", "callback_password")):
        bare = open_channel(kind, SENDER, {"api_key": "k" * 8}, line_to(1))
        with pytest.raises(CallbackRefused, match=missing):
            await bare.parse_callback(CALLS[kind](NOW))
    bare = open_channel("sendgrid", SENDER, {"api_key": "k" * 8}, line_to(1))
    with pytest.raises(CallbackRefused, match="callback_public_key"):
        await bare.parse_callback(CALLS["sendgrid"](NOW))
    keys = {"access_key_id": "A" * 16, "secret_access_key": "s" * 16}
    bare = open_channel("ses", {**SENDER, "region": "eu-central-1"}, keys, line_to(1))
    with pytest.raises(CallbackRefused, match="topic_arn"):
        await bare.parse_callback(CALLS["ses"](NOW))


async def test_both_versions_of_amazons_signature_are_read() -> None:
    for version in ("1", "2"):
        sns._certificates.clear()
        assert await heard("ses", callers.ses(SES, NOW, version=version))


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-central-1.amazonaws.com/x.pem",
        "https://sns.eu-central-1.amazonaws.com.evil.example/x.pem",
        "https://evil.example/sns.eu-central-1.amazonaws.com/x.pem",
        "https://sns.eu-central-1.amazonaws.com@evil.example/x.pem",
        "https://sns.eu-central-1.amazonaws.com:8443/x.pem",
        "https://s3.eu-central-1.amazonaws.com/x.pem",
        "https://sns.evil.amazonaws.com/x.pem",
        "https://169.254.169.254/x.pem",
        "https://sns.eu-central-1.amazonaws.com/x.txt",
        "//sns.eu-central-1.amazonaws.com/x.pem",
        "https://[::1]/x.pem",
        "",
    ],
)
async def test_a_certificate_is_fetched_from_amazon_or_nowhere(url: str) -> None:
    sns._certificates.clear()

    async def work(far: Provider) -> None:
        far.otherwise = Reply(200, callers.certificate(NOW))
        with pytest.raises(CallbackRefused, match="not one of Amazon SNS"):
            await channel("ses", far.port).parse_callback(callers.ses(SES, NOW, SigningCertURL=url))
        assert far.connections == 0

    await with_certificate(work)


async def test_another_topic_is_refused_however_well_it_is_signed() -> None:
    sns._certificates.clear()
    theirs = callers.ses(SES, NOW, TopicArn="arn:aws:sns:eu-central-1:666666666666:mail-events")
    with pytest.raises(CallbackRefused, match="another topic"):
        await heard("ses", theirs)


async def test_a_subscription_of_our_own_topic_is_confirmed_at_amazon_alone() -> None:
    sns._certificates.clear()
    confirmation = {
        "Type": "SubscriptionConfirmation",
        "Token": "2336412f37",
        "Message": "You have chosen to subscribe",
    }

    async def work(far: Provider) -> None:
        far.replies["GET /"] = Reply(200, "<ConfirmSubscriptionResponse/>")
        url = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f37"
        call = callers.ses({}, NOW, **confirmation, SubscribeURL=url)
        assert await channel("ses", far.port).parse_callback(call) == []
        assert [c.target for c in far.arrived if "Confirm" in c.target] == [url.partition(".com")[2]]
        before = len(far.arrived)
        call = callers.ses({}, NOW, **confirmation, SubscribeURL="https://evil.example/?Action=ConfirmSubscription")
        with pytest.raises(CallbackRefused, match="not one of Amazon SNS"):
            await channel("ses", far.port).parse_callback(call)
        assert len(far.arrived) == before

    await with_certificate(work)


def test_the_public_example_of_sendgrids_signature_is_verified() -> None:
    """From the tests of SendGrid's own libraries."""
    public = (
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEDr2LjtURuePQzplybdC+u4CwrqDqBaWjcMMsTbhdbcwHBcepxo7yAQGhHPTnlvFYPAZFceEu/"
        "1FwCM/QmGUhA=="
    )
    signature = "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH2j/0="
    payload = json.dumps(
        {"category": "example_payload", "event": "test_event", "message_id": "message_id"}, separators=(",", ":")
    )
    call = Callback(callers.URL, {}, payload.encode(), NOW)
    ecdsa(call, public, signature, b"1588788367" + payload.encode())
    with pytest.raises(CallbackRefused):
        ecdsa(call, public, signature, b"1588788368" + payload.encode())
