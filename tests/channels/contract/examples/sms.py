"""Short messages."""

from __future__ import annotations

import base64
from datetime import date
from typing import Final
from urllib.parse import parse_qs

from adapters.channels.contract import Rejected, Retry, Suppress, Unknown
from tests.channels.contract.examples.example import Case, Example
from tests.channels.contract.far_side import Call, Reply

CANARY: Final = "canary-c0ffee-token"
ACCOUNT: Final = "AC" + "0123456789abcdef" * 2
TO: Final = "+4915112345678"
TEXT: Final = {"text": "Shop: your cart waits. https://shop.example/cart Reply STOP to end."}


def _twilio(call: Call) -> bool:
    form = {name: values[0] for name, values in parse_qs(call.body.decode()).items()}
    login = base64.b64decode(call.headers["authorization"].removeprefix("Basic ")).decode()
    return (
        call.host == "api.twilio.com"
        and login == f"{ACCOUNT}:{CANARY}"
        and form["To"] == TO
        and form["From"] == "+15005550006"
        and form["Body"] == TEXT["text"]
        and form["StatusCallback"].startswith("https://whyleft.example/v1/callbacks/c1?delivery=")
    )


def _refusal(code: int, message: str, status: int = 400) -> Reply:
    return Reply(status, {"code": code, "message": message, "more_info": "https://www.twilio.com", "status": status})


def _http(call: Call) -> bool:
    body = call.json
    return (
        call.host == "sms.example"
        and call.headers["x-token"] == f"Key {CANARY}"
        and (body["to"], body["from"], body["text"]) == (TO.removeprefix("+"), "Shop", TEXT["text"])
        and body["reference"] != ""
    )


EXAMPLES: Final = (
    Example(
        kind="twilio",
        reference="https://www.twilio.com/docs/messaging/api/message-resource",
        read_on=date(2026, 11, 21),
        settings={
            "account_sid": ACCOUNT,
            "sender": "+15005550006",
            "status_callback": "https://whyleft.example/v1/callbacks/c1",
        },
        credentials={"auth_token": CANARY},
        recipient=TO,
        content=TEXT,
        impossible={"text": " "},
        send="POST /2010-04-01",
        accepted=Reply(201, {"sid": "SM" + "a" * 32, "status": "queued", "num_segments": "1", "error_code": None}),
        provider_id="SM" + "a" * 32,
        sent=_twilio,
        cases={
            "they replied STOP": Case(
                _refusal(21610, "Attempt to send to unsubscribed recipient"), Suppress, "replied STOP"
            ),
            "not a number": Case(_refusal(21211, "Invalid 'To' Phone Number"), Suppress, "not a number"),
            "a landline": Case(_refusal(21614, "'To' number is not a valid mobile number"), Suppress, "mobile"),
            "the sender is not the account's": Case(
                _refusal(21606, "The From phone number is not valid"), Rejected, "Phone Numbers"
            ),
            "a trial account": Case(_refusal(21608, "The number is unverified"), Rejected, "verified numbers only"),
            "a country that is not allowed": Case(
                _refusal(21408, "Permission to send an SMS has not been enabled"), Rejected, "Geo Permissions"
            ),
            "the queue is full": Case(_refusal(21611, "This From number has exceeded"), Retry, "too many messages"),
            "the token is old": Case(_refusal(20003, "Authenticate", 401), Retry, "make a new key"),
            "too many requests": Case(_refusal(20429, "Too Many Requests", 429), Retry, "limit"),
            "success without an id": Case(Reply(200, "<html>"), Unknown, "unreadable"),
        },
    ),
    Example(
        kind="http_sms",
        reference="https://www.rfc-editor.org/rfc/rfc9110",
        read_on=date(2026, 11, 21),
        settings={
            "url": "https://sms.example/v2/messages",
            "sender": "Shop",
            "plus": False,
            "token_header": "X-Token",
            "token_word": "Key",
            "opted_out": "opted out",
        },
        credentials={"token": CANARY},
        recipient=TO,
        content=TEXT,
        impossible={"text": "x" * 1601},
        send="POST /v2/messages",
        accepted=Reply(202, {"id": "m-17"}),
        provider_id="m-17",
        sent=_http,
        cases={
            "they opted out": Case(Reply(422, {"error": "Recipient has OPTED OUT"}), Suppress, "opted out"),
            "another refusal": Case(Reply(422, {"error": "no credit"}), Rejected, "no credit"),
        },
    ),
)
