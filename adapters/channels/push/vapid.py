"""The key that a shop's pushes are signed with (VAPID, RFC 8292): made here, its public half shown to browsers.

Browsers tie a subscription to the public key that it was made with: another key reaches nobody who subscribed before.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02, VapidException

VALID: Final = timedelta(hours=12)
"""Push services take tokens of at most a day."""


class KeyInvalid(ValueError):
    """This is no VAPID key; the message says what to write."""


def new_key() -> str:
    """A fresh private key: 32 bytes, base64url."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return _text(number.to_bytes(32, "big"))


def public_key(private: str) -> str:
    """The public half as browsers take it (``applicationServerKey``): an uncompressed point, base64url."""
    point = _opened(private).public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return _text(point)


def authorization(private: str, endpoint: str, subject: str, now: datetime) -> str:
    """The Authorization header for a push to ``endpoint``. ``subject``: mailto: or https: of whoever sends."""
    parts = urlsplit(endpoint)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "sub": subject,
        "exp": int((now + VALID).timestamp()),
    }
    return str(_opened(private).sign(claims)["Authorization"])


def _opened(private: str) -> Vapid02:
    try:
        return Vapid02.from_raw(private.encode("ascii"))
    except (VapidException, ValueError, TypeError):
        raise KeyInvalid("private_key is 32 bytes in base64url; leave it out to have one made") from None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
