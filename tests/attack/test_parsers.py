"""Every parser of what strangers send: whatever it is given, it reads it or says no, and never fails."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.channels.public_address import is_public
from flows.conditions import ConditionInvalid
from flows.conditions.document import read_with_origins
from flows.conditions.text import parse
from insights.api.etag import version_of
from insights.errors import WhyleftError
from insights.events.reading import event_or_reason, read_batch
from insights.events.storable import unstorable
from insights.events.wire import Limits
from insights.recovery.unsubscribe import verify as verify_unsubscribe
from insights.sources.signatures import SignatureWrong
from insights.sources.signatures import verify as verify_webhook
from insights.viewer.filters import read_request
from insights.vocabulary.addresses import read_address
from insights.vocabulary.ids import uuid7
from tests.api.conftest import Api, api

__all__ = ["api"]

NOW = 1_790_000_000_000
ODD_TEXT = st.sampled_from(
    [
        "\x00",
        "a\x00b",
        "\ud800",
        "\udfff\ud800",
        "\ufeff",
        "\u202e",
        "%00",
        "NaN",
        "1e999",
        "' OR 1=1 --",
        "{{7*7}}",
        "../" * 9,
    ]
) | st.text(st.characters(), max_size=40)
ODD_NUMBER = (
    st.sampled_from(
        [math.nan, math.inf, -math.inf, 0, -1, 2**31, 2**53 + 1, 2**63, 2**64, 10**400, 1e308, -1e308, 5e-324, -0.0]
    )
    | st.integers()
    | st.floats()
)
ODD_TIME = st.sampled_from(
    [0, 1, -1, -62_135_596_800_000, 253_402_300_799_999, 253_402_300_800_000, 2**62, NOW, NOW * 1000]
)
ODD = st.recursive(
    st.none() | st.booleans() | ODD_NUMBER | ODD_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ODD_TEXT, inner, max_size=4),
    max_leaves=12,
)
EVENT = st.fixed_dictionaries(
    {},
    optional={
        "id": ODD | st.just(str(uuid4())),
        "t": ODD | ODD_TIME,
        "type": ODD | st.sampled_from(["page_viewed", "purchased", "identified", "consent_changed", "x"]),
        "seq": ODD,
        "props": ODD,
        "url": ODD,
    },
)
BATCH = st.fixed_dictionaries(
    {"events": st.lists(EVENT | ODD, max_size=4)},
    optional={
        "visitor": ODD | st.just(str(uuid4())),
        "session": ODD | st.just(str(uuid7(NOW))),
        "tab": ODD,
        "sent_at": ODD | ODD_TIME,
        "page": ODD,
    },
)
DEEP = [b"[" * 1000 + b"]" * 1000, b'{"a":' * 1000 + b"1" + b"}" * 1000, b"[" * 200_000]
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def calmly(read: Callable[[], Any], *fine: type[Exception]) -> Any:
    """What is read; None where it is refused."""
    try:
        return read()
    except (WhyleftError, *fine):
        return None


@quick
@given(BATCH)
def test_a_batch_of_events_is_read_or_refused_and_what_is_kept_can_be_stored(batch: dict[str, Any]) -> None:
    body = json.dumps(batch).encode()
    reading = calmly(lambda: read_batch(body, Limits(), NOW))
    if reading is not None:
        assert len(reading.batch.events) + len(reading.rejected) == len(batch["events"])
        for event in reading.batch.events:
            assert unstorable(event.props) is None
            assert 946_684_800_000 <= event.t <= NOW + 86_400_000
            json.dumps(event.props, allow_nan=False).encode()
        for rejection in reading.rejected:
            assert rejection.error
            rejection.error.encode()


@pytest.mark.parametrize("body", [*DEEP, b"", b"\xff\xfe", b"null", b"1e999", b'"\\ud800"', b"\x00" * 100])
def test_bytes_that_are_no_batch_are_refused(body: bytes) -> None:
    with pytest.raises(WhyleftError):
        read_batch(body, Limits(), NOW)


@quick
@given(ODD)
def test_an_event_of_another_dialect_is_read_or_gets_a_reason(item: Any) -> None:
    found = event_or_reason(item, Limits(), 0, NOW)
    assert isinstance(found, str) or unstorable(found.props) is None


@quick
@given(ODD_TEXT, ODD)
def test_a_condition_is_read_or_its_faults_are_told(words: str, document: Any) -> None:
    calmly(lambda: parse(words), ConditionInvalid)
    calmly(lambda: read_with_origins(document), ConditionInvalid)


@pytest.mark.parametrize("depth", [50, 1_000, 20_000])
def test_a_condition_of_any_depth_is_told_that_it_is_too_deep(depth: int) -> None:
    document: Any = {"fact": "cart.items", "op": "ge", "value": 1}
    for _ in range(depth):
        document = {"not": document}
    calmly(lambda: read_with_origins(document), ConditionInvalid)
    calmly(lambda: parse("(" * depth + "cart.items >= 1" + ")" * depth), ConditionInvalid)
    calmly(lambda: parse("not " * depth + "cart.items >= 1"), ConditionInvalid)


@quick
@given(
    ODD_TEXT,
    st.binary(max_size=60),
    st.dictionaries(
        st.sampled_from(
            [
                "webhook-id",
                "webhook-timestamp",
                "webhook-signature",
                "x-shopify-hmac-sha256",
                "klaviyo-signature",
                "x-braze",
            ]
        ),
        ODD_TEXT,
    ),
)
def test_a_webhook_that_nobody_signed_is_refused(secret: str, body: bytes, headers: dict[str, str]) -> None:
    for provider in ("shopify", "klaviyo", "braze", "generic"):
        with pytest.raises(SignatureWrong):
            verify_webhook(provider, "whsec_" + "QUFB" * 8, headers, body, datetime.now(UTC))


@quick
@given(ODD_TEXT)
def test_links_addresses_and_tags_of_strangers_are_refused(words: str) -> None:
    assert calmly(lambda: verify_unsubscribe(b"s" * 32, words)) is None
    assert calmly(lambda: read_address(words)) is None
    calmly(lambda: version_of(words))
    assert is_public(words) in (True, False)


@quick
@given(
    st.dictionaries(st.sampled_from(["when", "reason", "page", "text", "cursor", "state", "left_cart", "x"]), ODD_TEXT)
)
def test_a_filter_of_the_viewer_is_read_whatever_stands_in_the_address(query: dict[str, str]) -> None:
    read_request(query)


@pytest.mark.parametrize("body", DEEP)
async def test_json_a_thousand_deep_is_refused_by_every_operation_that_takes_a_body(api: Api, body: bytes) -> None:
    document = (await api.client.get("/openapi.json")).json()
    headers = {**api.headers, "content-type": "application/json"}
    asked = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if "requestBody" not in operation:
                continue
            where = path
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    where = where.replace(f"{{{parameter['name']}}}", str(uuid4()))
            answer = await api.client.request(method.upper(), where, content=body, headers=headers)
            assert 400 <= answer.status_code < 500, (method, path, answer.status_code)
            asked += 1
    assert asked > 40


async def test_clocks_of_1970_and_9999_are_rejected_by_name_and_the_rest_is_stored(api: Api) -> None:
    odd = [0, 253_402_300_799_999, -1, 9e15, 1e300]
    events = [{**api.event("page_viewed"), "t": at} for at in odd]
    answer = await api.send(api.batch(*events, api.event("page_viewed")))
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    assert [rejected["error"].partition(":")[0] for rejected in answer.json()["rejected"]] == ["t"] * len(odd)
    for year in (0, 2**48 - 1):
        refused = await api.send(api.batch(api.event(), session=str(uuid7(year))))
        assert refused.status_code in (200, 400)
