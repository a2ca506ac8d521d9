"""Pushes."""

from __future__ import annotations

import base64
import json
import os
from datetime import date
from typing import Any, Final

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from adapters.channels.contract import Rejected, Retry, Suppress
from adapters.channels.push.vapid import new_key, public_key
from tests.channels.contract.examples.example import Case, Example
from tests.channels.contract.far_side import Call, Reply


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


_BROWSER: Final = ec.generate_private_key(ec.SECP256R1())
_AUTH: Final = os.urandom(16)
_POINT: Final = _BROWSER.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
_KEY: Final = new_key()
NOTE: Final = {
    "title": "Your cart waits",
    "body": "Two things, Änne",
    "url": "https://shop.example/cart",
    "topic": "cart",
    "hours": 12,
}
SUBSCRIPTION: Final = {
    "endpoint": "https://updates.push.services.mozilla.com/wpush/v2/abc",
    "keys": {"p256dh": _text(_POINT), "auth": _text(_AUTH)},
}


def opened(body: bytes) -> dict[str, Any]:
    """What the browser reads."""
    found = http_ece.decrypt(body, private_key=_BROWSER, auth_secret=_AUTH, version="aes128gcm")
    read: dict[str, Any] = json.loads(found)
    return read


def _claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return read


def _web(call: Call) -> bool:
    token, _, key = call.headers["authorization"].removeprefix("vapid t=").partition(",k=")
    shown = opened(call.body)
    return (
        call.host == "updates.push.services.mozilla.com"
        and key == public_key(_KEY)
        and _claims(token)["aud"] == "https://updates.push.services.mozilla.com"
        and _claims(token)["sub"] == "mailto:you@shop.example"
        and call.headers["ttl"] == "43200"
        and len(call.headers["topic"]) == 32
        and call.headers["content-encoding"] == "aes128gcm"
        and (shown["title"], shown["body"], shown["url"]) == (NOTE["title"], NOTE["body"], NOTE["url"])
    )


def _account() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    file = {
        "type": "service_account",
        "project_id": "shop-1234",
        "private_key_id": _text(os.urandom(8)),
        "private_key": pem,
        "client_email": "whyleft@shop-1234.iam.gserviceaccount.com",
        # An address of somebody else: nothing may be sent there.
        "token_uri": "https://evil.example/token",
    }
    return json.dumps(file)


ACCOUNT: Final = _account()
TOKEN: Final = {"POST /token": Reply(200, {"access_token": "ya29.canary", "expires_in": 3599, "token_type": "Bearer"})}


def _fcm(call: Call) -> bool:
    message = call.json["message"]
    return (
        call.host == "fcm.googleapis.com"
        and call.path == "/v1/projects/shop-1234/messages:send"
        and call.headers["authorization"] == "Bearer ya29.canary"
        and message["token"] == "device-token"
        and message["notification"]["title"] == NOTE["title"]
        and message["android"]["ttl"] == "43200s"
        and message["webpush"]["fcm_options"]["link"] == NOTE["url"]
    )


def _error(status: int, code: str, message: str) -> Reply:
    kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
    details = [{"@type": kind, "errorCode": code}]
    return Reply(status, {"error": {"code": status, "message": message, "status": "X", "details": details}})


EXAMPLES: Final = (
    Example(
        kind="web_push",
        reference="https://www.rfc-editor.org/rfc/rfc8030",
        read_on=date(2026, 11, 21),
        settings={"contact": "mailto:you@shop.example"},
        credentials={"private_key": _KEY},
        recipient="5f0c",
        content={**NOTE, "subscription": SUBSCRIPTION},
        impossible={"url": "javascript:alert(1)"},
        send="POST /wpush",
        accepted=Reply(201, b"", {"Location": "https://updates.push.services.mozilla.com/m/1"}),
        provider_id="https://updates.push.services.mozilla.com/m/1",
        sent=_web,
        cases={
            "unsubscribed": Case(Reply(410, {"errno": 106}), Suppress, "unsubscribed"),
            "unknown": Case(Reply(404, b""), Suppress, "unsubscribed"),
            "too large": Case(Reply(413, b""), Rejected, "too large"),
            "another key": Case(Reply(403, "VAPID public key mismatch"), Suppress, "another key"),
        },
    ),
    Example(
        kind="fcm",
        reference="https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send",
        read_on=date(2026, 11, 21),
        settings={"project": "shop-1234"},
        credentials={"service_account": ACCOUNT},
        recipient="5f0d",
        content={**NOTE, "subscription": {"token": "device-token"}},
        impossible={"subscription": {}},
        send="POST /v1/projects",
        accepted=Reply(200, {"name": "projects/shop-1234/messages/0:1500415314455276"}),
        provider_id="projects/shop-1234/messages/0:1500415314455276",
        sent=_fcm,
        beside=TOKEN,
        cases={
            "the app was removed": Case(_error(404, "UNREGISTERED", "Requested entity not found"), Suppress, "removed"),
            "of another project": Case(_error(403, "SENDER_ID_MISMATCH", "mismatch"), Suppress, "another Firebase"),
            "no such token": Case(
                _error(400, "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token"),
                Suppress,
                "does not know",
            ),
            "Apple's key is over": Case(_error(401, "THIRD_PARTY_AUTH_ERROR", "APNs"), Rejected, "APNs key"),
            "too fast": Case(_error(429, "QUOTA_EXCEEDED", "quota"), Retry, "asks to wait"),
        },
    ),
)
