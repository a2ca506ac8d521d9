"""The unsubscribe link: signed, so that nobody can opt out somebody else, and good for as long as the mail exists.

The token carries project, visitor, channel and recipient, because the link must work without a login and after the
visitor's row is gone. What it signs is bound to this purpose: no other signature of the server fits.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from insights.errors import Refused

_PURPOSE: Final = b"whyleft unsubscribe 1\0"
_SIGNATURE_BYTES: Final = 20
_MOST: Final = 2000


@dataclass(frozen=True, slots=True)
class Claim:
    """What a valid token says: this recipient wants no more messages of this project on this channel."""

    project_id: UUID
    visitor_id: UUID
    channel: str
    recipient: str


def sign(secret: bytes, claim: Claim) -> str:
    """The token for a claim: letters, digits, - and _ only."""
    payload = claim.project_id.bytes + claim.visitor_id.bytes + f"{claim.channel}\0{claim.recipient}".encode()
    return base64.urlsafe_b64encode(_signature(secret, payload) + payload).rstrip(b"=").decode()


def verify(secret: bytes, token: str) -> Claim:
    """The claim of a token that this server signed. Raises Refused."""
    advice = "This unsubscribe link is not complete. Open it from the mail again, or copy all of it."
    try:
        if len(token) > _MOST:
            raise ValueError
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if len(payload) < 34 or not hmac.compare_digest(signature, _signature(secret, payload)):
            raise ValueError
        channel, _, recipient = payload[32:].decode().partition("\0")
    except (ValueError, binascii.Error):
        raise Refused(advice, field="token") from None
    return Claim(UUID(bytes=payload[:16]), UUID(bytes=payload[16:32]), channel, recipient)


def _signature(secret: bytes, payload: bytes) -> bytes:
    return hmac.digest(secret, _PURPOSE + payload, hashlib.sha256)[:_SIGNATURE_BYTES]
