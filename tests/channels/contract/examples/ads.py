"""Advertising."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from typing import Any, Final

from adapters.channels.contract import Rejected, Retry, Unknown
from tests.channels.contract.examples.example import Case, Example
from tests.channels.contract.examples.push import ACCOUNT, TOKEN
from tests.channels.contract.far_side import Call, Reply

CANARY: Final = "canary-c0ffee-token"
TODAY: Final = date(2026, 11, 21)
AGREED: Final = {"marketing": True, "channels": ["email", "ads"]}
PERSON: Final[dict[str, Any]] = {
    "email": " Anna.Muster+shop@Gmail.com ",
    "phone": "+49 151 1234 5678",
    "user_id": "customer-7",
    "consent": AGREED,
}
HAPPENED: Final[dict[str, Any]] = {
    **PERSON,
    "event": "AddToCart",
    "at": datetime.now(UTC).isoformat(),
    "value_minor": 4990,
    "currency": "EUR",
    "items": 2,
    "source_url": "https://shop.example/cart?token=secret",
}
LONG_AGO: Final = {"at": "2020-01-01T00:00:00+00:00"}
NO_CONSENT: Final = {"consent": {"marketing": True, "channels": ["email"]}}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _meta_event(call: Call) -> bool:
    (event,) = call.json["data"]
    return (
        call.host == "graph.facebook.com"
        and call.headers["authorization"] == f"Bearer {CANARY}"
        and CANARY not in call.target
        and event["user_data"]["em"] == [_hash("anna.muster+shop@gmail.com")]
        and event["user_data"]["ph"] == [_hash("4915112345678")]
        and event["custom_data"] == {"value": 49.9, "currency": "EUR"}
        and event["event_source_url"] == "https://shop.example/cart"
        and event["event_id"] != ""
        and b"example.com" not in call.body
    )


def _meta_audience(call: Call) -> bool:
    payload = call.json["payload"]
    return payload["schema"] == ["EMAIL", "PHONE", "EXTERN_ID"] and payload["data"] == [
        [_hash("anna.muster+shop@gmail.com"), _hash("4915112345678"), "customer-7"]
    ]


def _google(call: Call) -> bool:
    body = call.json
    known = body["audienceMembers"][0]["userData"]["userIdentifiers"]
    return (
        call.host == "datamanager.googleapis.com"
        and call.headers["authorization"] == "Bearer ya29.canary"
        and known == [{"emailAddress": _hash("annamuster@gmail.com")}, {"phoneNumber": _hash("+4915112345678")}]
        and body["destinations"][0]["productDestinationId"] == "8001"
        and body["consent"]["adPersonalization"] == "CONSENT_GRANTED"
        and body["encoding"] == "HEX"
    )


def _reddit_event(call: Call) -> bool:
    (event,) = call.json["data"]["events"]
    return (
        call.host == "ads-api.reddit.com"
        and event["type"] == {"tracking_type": "ADD_TO_CART"}
        and event["user"]["email"] == _hash("annamuster@gmail.com")
        and event["metadata"]["value"] == 49.9
        and event["metadata"]["item_count"] == 2
        and event["metadata"]["conversion_id"] != ""
        and event["event_at"] > 10**12
    )


def _reddit_audience(call: Call) -> bool:
    data = call.json["data"]
    return (
        call.headers["authorization"] == "Bearer day-token"
        and data["action_type"] == "ADD"
        and data["column_order"] == ["EMAIL_SHA256"]
        and data["user_data"] == [[_hash("annamuster@gmail.com")]]
    )


def _meta_error(code: int, message: str, status: int = 400, **more: Any) -> Reply:
    return Reply(status, {"error": {"message": message, "type": "OAuthException", "code": code, **more}})


_META_CASES: Final = {
    "the token is over": Case(_meta_error(190, "Error validating access token"), Retry, "make a new one"),
    "too many calls": Case(_meta_error(80004, "too many calls"), Retry, "wait"),
    "it broke inside": Case(_meta_error(1, "unknown", 500), Unknown, "failed"),
    "a wrong parameter": Case(_meta_error(100, "Invalid parameter", error_user_msg="No pixel"), Rejected, "No pixel"),
}

EXAMPLES: Final = (
    Example(
        kind="meta_conversions",
        reference="https://developers.facebook.com/docs/marketing-api/conversions-api/using-the-api",
        read_on=TODAY,
        settings={"pixel_id": "123456789"},
        credentials={"access_token": CANARY},
        recipient=None,
        content=HAPPENED,
        impossible=LONG_AGO,
        send="POST /v24.0/123456789/events",
        accepted=Reply(200, {"events_received": 1, "messages": [], "fbtrace_id": "A1"}),
        provider_id="A1",
        sent=_meta_event,
        cases={
            **_META_CASES,
            "nothing taken inside success": Case(
                Reply(200, {"events_received": 0, "messages": ["ignored"]}), Rejected, "0 of one event"
            ),
            "success without a count": Case(Reply(200, {}), Unknown, "does not say"),
        },
    ),
    Example(
        kind="meta_audience",
        reference="https://developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences",
        read_on=TODAY,
        settings={"audience_id": "600123"},
        credentials={"access_token": CANARY},
        recipient=None,
        content=PERSON,
        impossible=NO_CONSENT,
        send="POST /v24.0/600123/users",
        accepted=Reply(200, {"audience_id": "600123", "session_id": "9", "num_received": 1, "num_invalid_entries": 0}),
        provider_id="9",
        sent=_meta_audience,
        cases={
            **_META_CASES,
            "nobody taken inside success": Case(
                Reply(200, {"num_received": 1, "num_invalid_entries": 1}), Rejected, "1 invalid"
            ),
        },
    ),
    Example(
        kind="google_audience",
        reference="https://developers.google.com/data-manager/api/reference/rest/v1/audienceMembers/ingest",
        read_on=TODAY,
        settings={"account_id": "1234567890", "login_account_id": "99", "audience_id": "8001"},
        credentials={"service_account": ACCOUNT},
        recipient=None,
        content=PERSON,
        impossible={"email": "", "phone": ""},
        send="POST /v1/audienceMembers:ingest",
        accepted=Reply(200, {"requestId": "126365e1-16d0-4c81-9de9-f362711e250a"}),
        provider_id="126365e1-16d0-4c81-9de9-f362711e250a",
        sent=_google,
        beside=TOKEN,
        cases={
            "no access to the account": Case(
                Reply(403, {"error": {"code": 403, "message": "The caller does not have permission"}}),
                Retry,
                "add it to the account",
            ),
            "a wrong field": Case(
                Reply(400, {"error": {"code": 400, "message": "Invalid destination"}}), Rejected, "Invalid destination"
            ),
        },
    ),
    Example(
        kind="reddit_conversions",
        reference="https://ads-api.reddit.com/docs/v3/operations/Post%20Conversion%20Events",
        read_on=TODAY,
        settings={"pixel_id": "a2_abc123"},
        credentials={"access_token": CANARY},
        recipient=None,
        content=HAPPENED,
        impossible=LONG_AGO,
        send="POST /api/v3/pixels/a2_abc123/conversion_events",
        accepted=Reply(200, {"data": {"message": "Successfully processed 1 conversion events."}}),
        sent=_reddit_event,
        cases={
            "a wrong field": Case(
                Reply(400, {"error": {"code": 400, "message": "missing action_source"}}), Rejected, "action_source"
            ),
            "an error inside success": Case(Reply(200, {"error": {"message": "no pixel"}}), Rejected, "no pixel"),
        },
    ),
    Example(
        kind="reddit_audience",
        reference="https://ads-api.reddit.com/docs/v3/operations/Update%20Custom%20Audience%20Users",
        read_on=TODAY,
        settings={"audience_id": "aud_42"},
        credentials={"client_id": "canary-id", "client_secret": CANARY, "refresh_token": "canary-refresh-token"},
        recipient=None,
        content=PERSON,
        impossible={"email": "nobody"},
        send="PATCH /api/v3/custom_audiences/aud_42/users",
        accepted=Reply(200, {"data": {}}),
        sent=_reddit_audience,
        beside={"POST /api/v1/access_token": Reply(200, {"access_token": "day-token", "expires_in": 86400})},
        cases={"no such audience": Case(Reply(404, {"error": {"message": "not found"}}), Rejected, "not found")},
    ),
)
