"""Amazon SNS, through which SES reports: proves that a message is Amazon's, and of the topic that was agreed on.

The certificate is fetched only from a host of SNS itself, and a good signature alone proves little: anybody may have a
topic. Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import Certificate, load_pem_x509_certificate

from adapters.channels.contract import Callback, CallbackRefused
from adapters.channels.line import Answer, Line, Request
from adapters.channels.signed_calls import body_of, fresh, iso

OLDEST: Final = timedelta(hours=1)
"""The signed time is when it was published: SNS tries again for a while, and a copy is recognised by its id."""
MOST_CERTIFICATES: Final = 20
_HOST: Final = re.compile(r"sns\.[a-z]{2}(?:-[a-z]+)+-\d\.amazonaws\.com(?:\.cn)?")
_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")

_certificates: dict[str, Certificate] = {}


async def message(call: Callback, line: Line, topic: str) -> Mapping[str, Any]:
    """The verified message of a call, of either type. Raises CallbackRefused."""
    body = body_of(call)
    if not isinstance(body, Mapping) or not all(isinstance(value, str) for value in body.values()):
        raise CallbackRefused("This is not a message of Amazon SNS.")
    if not topic or body.get("TopicArn") != topic:
        raise CallbackRefused("The message is of another topic than the channel's settings.topic_arn.")
    fresh(iso(body.get("Timestamp")), call.at, OLDEST)
    kind = body.get("Type")
    names = _NOTIFICATION if kind == "Notification" else _CONFIRMATION
    signed = "".join(f"{name}\n{body[name]}\n" for name in names if name in body).encode(errors="replace")
    hash_ = SHA256() if body.get("SignatureVersion") == "2" else SHA1()  # noqa: S303  (version 1 is theirs to retire)
    certificate = await _certificate(str(body.get("SigningCertURL", "")), line)
    key = certificate.public_key()
    try:
        signature = base64.b64decode(str(body.get("Signature", "")), validate=True)
        if not isinstance(key, RSAPublicKey):
            raise CallbackRefused("The certificate holds another kind of key.")
        key.verify(signature, signed, PKCS1v15(), hash_)
    except (InvalidSignature, ValueError, binascii.Error):
        raise CallbackRefused("The signature does not belong to this message.") from None
    if not certificate.not_valid_before_utc <= call.at <= certificate.not_valid_after_utc:
        raise CallbackRefused("The certificate is out of date.")
    return body


async def confirm(body: Mapping[str, object], line: Line) -> None:
    """Agrees to a subscription of our own topic. Raises CallbackRefused."""
    url = str(body.get("SubscribeURL", ""))
    if not of_sns(url):
        raise CallbackRefused("The address to confirm at is not one of Amazon SNS.")
    answer = await line.call(Request("GET", url, harmless=True))
    if not isinstance(answer, Answer) or answer.status != 200:
        raise CallbackRefused("The subscription could not be confirmed: request the confirmation again.")


def of_sns(url: str) -> bool:
    """Whether an address is on a host of Amazon SNS, encrypted, on the usual port, without tricks."""
    try:
        parts = urlsplit(url)
        plain = parts.scheme == "https" and parts.netloc == (parts.hostname or "")
    except ValueError:
        return False
    return plain and _HOST.fullmatch(parts.netloc) is not None


async def _certificate(url: str, line: Line) -> Certificate:
    if not of_sns(url) or not urlsplit(url).path.endswith(".pem"):
        raise CallbackRefused("The certificate's address is not one of Amazon SNS.")
    if url not in _certificates:
        answer = await line.call(Request("GET", url, harmless=True))
        if not isinstance(answer, Answer) or answer.status != 200 or not answer.whole:
            raise CallbackRefused("Amazon's certificate cannot be fetched now.")
        try:
            found = load_pem_x509_certificate(answer.body)
        except ValueError:
            raise CallbackRefused("Amazon's certificate cannot be read.") from None
        if len(_certificates) >= MOST_CERTIFICATES:
            _certificates.clear()
        _certificates[url] = found
    return _certificates[url]
