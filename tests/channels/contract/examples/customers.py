"""Mail and message services, shop systems, customer data platforms."""

from __future__ import annotations

import base64
from datetime import date
from typing import Any, Final

from standardwebhooks.webhooks import Webhook

from adapters.channels.contract import Accepted, Rejected, Retry, Unknown
from tests.channels.contract.examples.example import Case, Example
from tests.channels.contract.far_side import Call, Reply

CANARY: Final = "canary-c0ffee-token"
TODAY: Final = date(2026, 11, 21)
EVENT: Final[dict[str, Any]] = {
    "do": "event",
    "event": "Left over the price",
    "properties": {"reason": "price_hesitation"},
    "value_minor": 4990,
    "currency": "EUR",
    "email": "Anna@Example.com",
    "user_id": "customer-7",
    "at": "2026-11-21T12:00:00+00:00",
}


def _klaviyo(call: Call) -> bool:
    attributes = call.json["data"]["attributes"]
    return (
        call.host == "a.klaviyo.com"
        and call.headers["authorization"] == f"Klaviyo-API-Key {CANARY}"
        and call.headers["revision"] == "2026-04-15"
        and attributes["metric"]["data"]["attributes"]["name"] == EVENT["event"]
        and attributes["profile"]["data"]["attributes"]["email"] == "anna@example.com"
        and attributes["unique_id"] != ""
        and attributes["value"] == 49.9
    )


def _braze(call: Call) -> bool:
    (event,) = call.json["events"]
    return (
        call.host == "rest.fra-01.braze.eu"
        and call.headers["authorization"] == f"Bearer {CANARY}"
        and event["external_id"] == "customer-7"
        and event["name"] == EVENT["event"]
        and event["properties"] == EVENT["properties"]
    )


def _shopify(call: Call) -> bool:
    asked = call.json["variables"]["input"]
    return (
        call.host == "shop.myshopify.com"
        and call.headers["x-shopify-access-token"] == CANARY
        and asked["code"] == "KEEP-7Q2M"
        and asked["usageLimit"] == 1
        and asked["customerGets"]["value"] == {"percentage": 0.15}
        and asked["endsAt"] == "2026-11-28T12:00:00+00:00"
    )


def _segment(call: Call) -> bool:
    (event,) = call.json["batch"]
    login = base64.b64decode(call.headers["authorization"].removeprefix("Basic ")).decode()
    return (
        login == f"{CANARY}:"
        and (event["type"], event["userId"], event["event"]) == ("track", "customer-7", EVENT["event"])
        and event["messageId"] != ""
    )


def _user_error(code: str, message: str) -> Reply:
    made = {"codeDiscountNode": None, "userErrors": [{"field": ["code"], "code": code, "message": message}]}
    return Reply(200, {"data": {"discountCodeBasicCreate": made}})


def _call_error(code: str) -> Reply:
    return Reply(200, {"errors": [{"message": code.title(), "extensions": {"code": code}}]})


SECRET: Final = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, yes").decode()
STEP: Final[dict[str, Any]] = {"type": "recovery.step", "data": {"name": "Tüte"}}


def _webhook(call: Call) -> bool:
    return (
        call.host == "hooks.shop.example"
        and Webhook(SECRET).verify(call.body, call.headers) == STEP
        and call.headers["webhook-id"] != ""
    )


EXAMPLES: Final = (
    Example(
        kind="webhook",
        reference="https://www.standardwebhooks.com",
        read_on=TODAY,
        settings={"url": "https://hooks.shop.example/whyleft"},
        credentials={"secret": SECRET},
        recipient=None,
        content=STEP,
        impossible={"data": object()},
        send="POST /whyleft",
        accepted=Reply(200, b""),
        sent=_webhook,
        # Anything but 2xx was not taken, says the scheme.
        faults={"500": Retry, "a page inside 200": Accepted, "half of a 200's body": Accepted},
        cases={"it is gone": Case(Reply(410, b""), Rejected, "gone")},
    ),
    Example(
        kind="klaviyo",
        reference="https://developers.klaviyo.com/en/reference/create_event",
        read_on=TODAY,
        settings={},
        credentials={"private_key": CANARY},
        recipient=None,
        content=EVENT,
        impossible={"event": ""},
        send="POST /api/events",
        accepted=Reply(202, b""),
        sent=_klaviyo,
        # What would be unknown elsewhere is tried again: a repeat is recognised by its unique_id.
        faults={"a page inside 200": Retry, "half of a 200's body": Retry},
        cases={
            "the key lacks a right": Case(
                Reply(403, {"errors": [{"code": "permission_denied", "detail": "no scope"}]}), Retry, "access to events"
            ),
            "a field is wrong": Case(
                Reply(400, {"errors": [{"code": "invalid", "detail": "Invalid email"}]}), Rejected, "Invalid email"
            ),
            "the revision is retired": Case(Reply(410, {"errors": []}), Rejected, "update Whyleft"),
        },
    ),
    Example(
        kind="braze",
        reference="https://www.braze.com/docs/api/endpoints/user_data/post_user_track/",
        read_on=TODAY,
        settings={"instance": "rest.fra-01.braze.eu"},
        credentials={"api_key": CANARY},
        recipient=None,
        content=EVENT,
        impossible={"email": "", "user_id": ""},
        send="POST /users/track",
        accepted=Reply(201, {"message": "success", "events_processed": 1}),
        sent=_braze,
        # A 200 that says nothing of success was not Braze's own.
        cases={
            "an error inside success": Case(
                Reply(201, {"message": "success", "errors": [{"type": "'name' is required", "index": 0}]}),
                Rejected,
                "refused what was in it",
            ),
            "the key lacks a right": Case(Reply(401, {"message": "Invalid API key"}), Retry, "make a new key"),
        },
    ),
    Example(
        kind="shopify",
        reference="https://shopify.dev/docs/api/admin-graphql/2026-01/mutations/discountCodeBasicCreate",
        read_on=TODAY,
        settings={"shop": "shop.myshopify.com"},
        credentials={"access_token": CANARY},
        recipient=None,
        content={"do": "code", "code": "KEEP-7Q2M", "percent": 15, "until": "2026-11-28T12:00:00+00:00"},
        impossible={"percent": 300},
        send="POST /admin/api/2026-01/graphql.json",
        accepted=Reply(
            200,
            {
                "data": {
                    "discountCodeBasicCreate": {
                        "codeDiscountNode": {"id": "gid://shopify/DiscountCodeNode/1"},
                        "userErrors": [],
                    }
                }
            },
        ),
        provider_id="gid://shopify/DiscountCodeNode/1",
        sent=_shopify,
        cases={
            "the code is there already": Case(_user_error("TAKEN", "Code must be unique"), Accepted, ""),
            "an error of what was asked": Case(_user_error("INVALID", "Ends at is past"), Rejected, "Ends at is past"),
            "too fast": Case(_call_error("THROTTLED"), Retry, "wait"),
            "a right is missing": Case(_call_error("ACCESS_DENIED"), Retry, "scopes"),
            "success of another form": Case(Reply(200, {"data": {}}), Unknown, "nothing of what was asked"),
        },
    ),
    Example(
        kind="segment",
        reference="https://www.twilio.com/docs/segment/connections/sources/catalog/libraries/server/http-api",
        read_on=TODAY,
        settings={"api": "https://events.eu1.segmentapis.com/v1"},
        credentials={"write_key": CANARY},
        recipient=None,
        content=EVENT,
        impossible={"user_id": ""},
        send="POST /v1/batch",
        accepted=Reply(200, {"success": True}),
        sent=_segment,
        cases={"no success": Case(Reply(200, {"success": False, "message": "bad key"}), Rejected, "bad key")},
    ),
)
