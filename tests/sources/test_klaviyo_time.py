"""When a webhook of Klaviyo was sent, as its header says it: a date of HTTP, signed with the body. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest

from insights.sources.signatures import SignatureWrong, verify

SENT = datetime(2024, 1, 4, 18, 5, 25, tzinfo=UTC)
BODY = b'{"data": []}'
SECRET = "klaviyo-secret-0123456789"


def _hear(sent: str, now: datetime, body: bytes = BODY) -> str:
    signature = hmac.digest(SECRET.encode(), body + sent.encode(), hashlib.sha256).hex()
    headers = {"klaviyo-signature": signature, "klaviyo-timestamp": sent}
    return verify("klaviyo", SECRET, headers, body, now).topic


@pytest.mark.parametrize(
    "sent",
    ["Thu, 04 Jan 2024 18:05:25 GMT", "2024-01-04T18:05:25+00:00", str(int(SENT.timestamp()))],
)
def test_klaviyos_date_is_read_and_holds_for_five_minutes(sent: str) -> None:
    assert _hear(sent, SENT + timedelta(minutes=5)) == _hear(sent, SENT - timedelta(minutes=5)) == "events"
    for away in (timedelta(minutes=5, seconds=1), -timedelta(minutes=5, seconds=1)):
        with pytest.raises(SignatureWrong, match="five minutes"):
            _hear(sent, SENT + away)


@pytest.mark.parametrize(
    "sent", ["", "soon", "Thu, 99 Jan 2024 18:05:25 GMT", f"Thu, 04 Jan {'9' * 30} 18:05:25 GMT", "é"]
)
def test_what_is_no_time_is_refused_and_breaks_nothing(sent: str) -> None:
    with pytest.raises(SignatureWrong, match="five minutes"):
        _hear(sent, SENT)


@pytest.mark.parametrize(
    ("meta", "away", "is_heard"),
    [
        (SENT.isoformat(), timedelta(minutes=4), True),
        (SENT.isoformat(), timedelta(minutes=6), False),
        (None, timedelta(0), False),
        (7, timedelta(0), False),
    ],
)
def test_the_bodys_own_time_is_as_good_as_the_headers(meta: object, away: timedelta, is_heard: bool) -> None:
    body = json.dumps({"data": [], "meta": {"timestamp": meta}}).encode()
    ahead = "Thu, 04 Jan 2024 23:05:25 GMT"
    if is_heard:
        assert _hear(ahead, SENT + away, body) == "events"
    else:
        with pytest.raises(SignatureWrong, match="five minutes"):
            _hear(ahead, SENT + away, body)
