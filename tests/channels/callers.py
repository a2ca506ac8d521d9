"""Providers that call back: each signs as its reference says, with keys made here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from adapters.channels.contract import Callback

URL: Final = "https://whyleft.example/v1/callbacks/x"
SVIX_SECRET: Final = "whsec_" + base64.b64encode(b"k" * 24).decode()
PASSWORD: Final = "a-password-of-the-address"
TOPIC: Final = "arn:aws:sns:eu-central-1:123456789012:mail-events"
CERTIFICATE_URL: Final = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123.pem"

_EC_KEY = ec.generate_private_key(ec.SECP256R1())
SENDGRID_PUBLIC_KEY: Final = base64.b64encode(
    _EC_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()
_RSA_KEY = rsa.generate_private_key(65537, 2048)


def certificate(now: datetime) -> bytes:
    """What Amazon would publish at the certificate's address."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_RSA_KEY.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(_RSA_KEY, SHA256())
    )
    return made.public_bytes(Encoding.PEM)


def resend(body: Any, at: datetime, identifier: str = "msg_1") -> Callback:
    raw = json.dumps(body).encode()
    stamp = str(int(at.timestamp()))
    key = base64.b64decode(SVIX_SECRET.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{identifier}.{stamp}.".encode() + raw, hashlib.sha256)
    headers = {
        "svix-id": identifier,
        "svix-timestamp": stamp,
        "svix-signature": "v1,bm90IHRoaXMgb25l v1," + base64.b64encode(digest).decode(),
    }
    return Callback(URL, headers, raw, at)


def sendgrid(body: Any, at: datetime) -> Callback:
    raw = json.dumps(body).encode()
    stamp = str(int(at.timestamp()))
    signature = _EC_KEY.sign(stamp.encode() + raw, ec.ECDSA(SHA256()))
    headers = {
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
        "x-twilio-email-event-webhook-timestamp": stamp,
    }
    return Callback(URL, headers, raw, at)


def postmark(body: Any, at: datetime, password: str = PASSWORD) -> Callback:
    token = base64.b64encode(f"whyleft:{password}".encode()).decode()
    return Callback(URL, {"authorization": f"Basic {token}"}, json.dumps(body).encode(), at)


def ses(report: Any, at: datetime, *, version: str = "2", **changes: Any) -> Callback:
    body = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": json.dumps(report),
        "Timestamp": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
    } | changes
    names = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
    if body["Type"] != "Notification":
        names = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    signed = "".join(f"{name}\n{body[name]}\n" for name in names if name in body).encode()
    signature = _RSA_KEY.sign(signed, PKCS1v15(), SHA256() if version == "2" else SHA1())  # noqa: S303
    body["Signature"] = base64.b64encode(signature).decode()
    return Callback(URL, {"content-type": "text/plain; charset=UTF-8"}, json.dumps(body).encode(), at)
