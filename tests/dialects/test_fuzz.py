"""Whatever a sender makes of a message: it is taken or refused with a reason, and what is taken can be stored."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from insights.errors import Refused
from insights.events.dialects.opt_outs import opt_outs
from insights.events.dialects.translation import Envelope
from insights.events.reading import read_batch
from insights.events.reception import Message, read_message
from insights.events.rejected import list_rejected
from insights.events.wire import EARLIEST_MS, LEAD_MS, Limits
from insights.identity.proof import ANY_CLAIM
from insights.sources.signatures import SignatureWrong, verify
from insights.vocabulary.money import to_minor
from tests.api.conftest import Api, api
from tests.dialects.hostile import any_json, as_body, deep, hostile, spoiled
from tests.dialects.samples import CASES, GA4, NOW, PIXEL, SEGMENT
from tests.sources.senders import SECRET, make, signed

__all__ = ["api"]

PROJECT = UUID("01890000-0000-7000-8000-000000000000")
LIMITS = Limits()
IDS = [f"{dialect} {envelope.type or ''}".strip() for dialect, _, envelope in CASES]
Case = tuple[str, list[Any], Envelope]


def check(dialect: str, raw: Any, envelope: Envelope) -> bool:
    """Reads one message twice; True if it was taken."""
    read = read_message(PROJECT, dialect, Message(raw, envelope), LIMITS, ANY_CLAIM)
    again = read_message(PROJECT, dialect, Message(raw, envelope), LIMITS, ANY_CLAIM)
    if isinstance(read, str):
        assert again == read
        assert read and read.encode()
        return False
    assert not isinstance(again, str)
    for one, other in zip(read, again, strict=True):
        assert one.event.id == other.event.id
        assert one.visitor_id == other.visitor_id
        assert one.visitor_id.int
        assert EARLIEST_MS <= one.event.t <= NOW + LEAD_MS
        stored = msgspec.json.encode([one.event, one.who, one.said.session])
        assert b"\\u0000" not in stored
        assert len(stored) < 100_000
    return True


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_every_sample_is_taken(case: Case) -> None:
    dialect, samples, envelope = case
    for sample in samples:
        assert check(dialect, sample, envelope), read_message(
            PROJECT, dialect, Message(sample, envelope), LIMITS, ANY_CLAIM
        )


@pytest.mark.parametrize("case", CASES, ids=IDS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_spoiled_message_is_taken_or_refused(case: Case, data: st.DataObject) -> None:
    dialect, samples, envelope = case
    check(dialect, data.draw(spoiled(samples)), envelope)


@pytest.mark.parametrize("case", CASES, ids=IDS)
@given(raw=any_json)
@settings(max_examples=60, deadline=None)
def test_any_json_is_taken_or_refused(case: Case, raw: Any) -> None:
    dialect, _, envelope = case
    check(dialect, raw, envelope)


@pytest.mark.parametrize("year", ["1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_time_no_shop_has_seen_is_refused_by_its_name(year: str) -> None:
    for dialect, sample in (("segment", {**SEGMENT[5], "sentAt": None}), ("shopify_pixel", PIXEL[0])):
        spoiled_sample = {**sample, "timestamp": year, "originalTimestamp": None}
        read = read_message(PROJECT, dialect, Message(spoiled_sample, Envelope(received_ms=NOW)), LIMITS, ANY_CLAIM)
        assert isinstance(read, str)
        assert read.startswith("t: ")


@pytest.mark.parametrize("value", ["s\x00", "\ud800", float("nan"), deep(20)], ids=["NUL", "half", "NaN", "deep"])
@pytest.mark.parametrize("field", ["userId", "messageId", "anonymousId", "context", "extra"])
def test_what_cannot_be_stored_is_refused_wherever_it_stands(field: str, value: Any) -> None:
    message = {"event": "X", "type": "track", "userId": "u", field: value}
    if field == "context":
        message["context"] = {"sessionId": value}
    read = read_message(PROJECT, "segment", Message(message, Envelope(received_ms=NOW)), LIMITS, ANY_CLAIM)
    assert isinstance(read, str)
    assert read.startswith(field)


@given(raw=st.dictionaries(st.sampled_from(["visitor", "session", "tab", "page", "sent_at", "events"]), any_json))
@settings(max_examples=100, deadline=None)
def test_a_batch_of_our_own_is_read_or_refused_whatever_is_in_it(raw: Any) -> None:
    good = {"visitor": str(uuid4()), "session": "01890000-0000-7000-8000-000000000000", "events": []}
    try:
        body = as_body({**good, **raw})
        reading = read_batch(body, LIMITS, NOW)
    except (Refused, RecursionError) as error:
        assert isinstance(error, Refused)
        return
    assert all(item.error for item in reading.rejected)


@given(amount=hostile, currency=st.sampled_from(["EUR", "JPY", "KWD", None]))
def test_an_amount_is_minor_units_or_refused(amount: Any, currency: str | None) -> None:
    try:
        minor = to_minor(amount, currency)
    except ValueError:
        return
    assert abs(minor) <= 2**53


@given(document=any_json, provider=st.sampled_from(["klaviyo", "braze"]))
def test_opt_outs_are_read_from_anything(document: Any, provider: str) -> None:
    name = "data" if provider == "klaviyo" else "events"
    for item in (document, {name: document}, {name: [document]}):
        found, others = opt_outs(provider, item)
        assert others >= 0
        assert all(one.recipient.isprintable() for one in found)


@given(
    provider=st.sampled_from(["shopify", "klaviyo", "braze", "generic"]),
    body=st.binary(max_size=40),
    value=st.text(st.characters(max_codepoint=255), max_size=60),
)
def test_a_signature_nobody_made_is_never_right(provider: str, body: bytes, value: str) -> None:
    names = ["x-shopify-hmac-sha256", "klaviyo-signature", "klaviyo-timestamp", "authorization"]
    names += ["webhook-id", "webhook-timestamp", "webhook-signature"]
    secret = "whsec_" + base64.b64encode(b"0" * 24).decode()
    with pytest.raises(SignatureWrong):
        verify(provider, secret, dict.fromkeys(names, value), body, datetime.now(UTC))


def basic(key: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


async def send(api: Api, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    """Whatever is sent, the answer is no failure of ours, and names what is wrong."""
    answer = await api.client.post(path, content=body, headers=headers)
    assert answer.status_code in (200, 400), (answer.status_code, answer.text)
    return answer


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/ga4", "/v1/shopify/pixel"])
async def test_a_batch_of_spoiled_messages_is_answered_and_every_refusal_is_kept(api: Api, path: str) -> None:
    samples, name = {
        "/v1/batch": (SEGMENT, "batch"),
        "/v1/ga4": (GA4, "events"),
        "/v1/shopify/pixel": (PIXEL, "events"),
    }[path]
    refused = 0
    drawn = _examples(spoiled(samples) | any_json, 200)
    for start in range(0, len(drawn), 20):
        body = as_body({name: drawn[start : start + 20], "client_id": "c"})
        answer = await send(api, path, body, basic(api.write))
        if answer.status_code == 200:
            refused += len(answer.json().get("rejected", []))
    assert refused
    assert len(await list_rejected(api.services.database, api.project_id, 10_000)) == refused


async def test_a_thousand_levels_are_a_refusal_wherever_they_stand(api: Api) -> None:
    level = "[" * 1_000 + "]" * 1_000
    messages = [
        f'{{"userId": "u", "event": "X", "properties": {{"a": {level}}}}}',
        f'{{"userId": {level}, "event": "X"}}',
        f'{{"userId": "u", "event": "X", "context": {level}}}',
        level,
    ]
    for message in messages:
        for path, body in {
            "/v1/track": message,
            "/v1/batch": f'{{"batch": [{message}]}}',
            "/v1/ga4": f'{{"client_id": "c", "events": [{message}]}}',
            "/v1/events": f'{{"visitor": "{uuid4()}", "session": "{uuid4()}", "events": [{message}]}}',
        }.items():
            await send(api, path, body.encode(), basic(api.write) | {"authorization": f"Bearer {api.write}"})
    assert deep(3) == [[[[]]]]


async def test_signed_nonsense_is_answered_and_never_a_failure(api: Api) -> None:
    path, _ = await make(api, "shopify", SECRET)
    klaviyo, klaviyo_secret = await make(api, "klaviyo")
    for dialect, samples, envelope in CASES:
        if dialect != "shopify":
            continue
        for value in _examples(spoiled(samples) | any_json, 10):
            body = as_body(value)
            await send(api, path, body, signed(body, str(envelope.type)))
    for topic in ("customers/redact", "customers/data_request"):
        asked = {"customer": {"id": 1, "email": "a", "phone": "b"}, "orders_to_redact": [1]}
        for value in _examples(spoiled([asked]) | any_json, 10):
            body = as_body(value)
            await send(api, path, body, signed(body, topic))
    for value in _examples(any_json, 10):
        body = as_body({"data": [value]})
        sent = str(int(datetime.now(UTC).timestamp()))
        signature = hmac.digest(klaviyo_secret.encode(), body + sent.encode(), hashlib.sha256).hex()
        await send(api, klaviyo, body, {"klaviyo-signature": signature, "klaviyo-timestamp": sent})


def _examples(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """Drawn values, for a test that must await."""
    found: list[Any] = []

    @given(value=strategy)
    @settings(max_examples=count, database=None, suppress_health_check=list(HealthCheck))
    def draw(value: Any) -> None:
        found.append(value)

    draw()
    return found
