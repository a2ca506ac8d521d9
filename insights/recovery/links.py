"""Links of a message that lead through this server: signed, so that it is no open door to anywhere, and for a year.

What a link leads to stands in the link itself. The key changes every month, and only the last thirteen are good: an old
signature that somebody collected opens nothing. What is signed is bound to its purpose.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape, unescape
from typing import Final, Literal
from uuid import UUID

from insights.errors import Refused

Kind = Literal["click", "open", "cart"]

MONTHS: Final = 13
_SIGNATURE_BYTES: Final = 16
_MOST: Final = 6000
_KINDS: Final[dict[int, Kind]] = {1: "click", 2: "open", 3: "cart"}
_HREF: Final = re.compile(r"""(<a\b[^<>]*?\bhref\s*=\s*)(["'])(https?://[^"'<>]*)\2""", re.IGNORECASE)


class LinkTooOld(Refused):
    """The link was good once."""

    status = 410
    title = "The link is too old"


@dataclass(frozen=True, slots=True)
class Target:
    """What a link of a message is: of which run and step, and for a click where it leads."""

    kind: Kind
    project_id: UUID
    run_id: UUID
    step: str
    url: str = ""


class Links:
    """Signs and reads the links of this server. ``public_url`` is where people reach it."""

    def __init__(self, secret: bytes, public_url: str) -> None:
        self._secret = secret
        self.public_url = public_url.rstrip("/")

    def sign(self, target: Target, now: datetime) -> str:
        """The token for a target: letters, digits, - and _ only."""
        number = next(code for code, kind in _KINDS.items() if kind == target.kind)
        month = _month(now)
        said = f"{target.step}\0{target.url}".encode()
        payload = month.to_bytes(2, "big") + bytes([number]) + target.project_id.bytes + target.run_id.bytes + said
        return base64.urlsafe_b64encode(self._signature(month, payload) + payload).rstrip(b"=").decode()

    def read(self, token: str, now: datetime) -> Target:
        """The target of a token that this server signed. Raises Refused, LinkTooOld."""
        try:
            if len(token) > _MOST:
                raise ValueError
            raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
            signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
            month = int.from_bytes(payload[:2], "big")
            if len(payload) < 36 or not hmac.compare_digest(signature, self._signature(month, payload)):
                raise ValueError
            step, _, url = payload[35:].decode().partition("\0")
            target = Target(_KINDS[payload[2]], UUID(bytes=payload[3:19]), UUID(bytes=payload[19:35]), step, url)
        except (ValueError, KeyError, binascii.Error):
            raise Refused("This link is not complete. Open it from the message again, or copy all of it.") from None
        if not 0 <= _month(now) - month < MONTHS:
            raise LinkTooOld("This link is too old. Please go to the shop's own page.")
        return target

    def tracked(self, html: str, target: Target, now: datetime, *, keep: str, clicks: bool, pixel: bool) -> str:
        """The HTML with its links leading through this server; ``keep`` stays as it is. With ``pixel`` an invisible
        image tells when it is opened."""

        def led(found: re.Match[str]) -> str:
            url = unescape(found[3])
            if url == keep or url.startswith(self.public_url):
                return found[0]
            token = self.sign(Target("click", target.project_id, target.run_id, target.step, url), now)
            return f"{found[1]}{found[2]}{escape(f'{self.public_url}/v1/l/{token}')}{found[2]}"

        made = _HREF.sub(led, html) if clicks else html
        if pixel and made:
            token = self.sign(Target("open", target.project_id, target.run_id, target.step), now)
            image = (
                f'<img src="{escape(f"{self.public_url}/v1/o/{token}")}" width="1" height="1" alt="" '
                'style="display:block;border:0">'
            )
            head, body, tail = made.rpartition("</body>")
            made = f"{head}{image}{body}{tail}" if body else made + image
        return made

    def _signature(self, month: int, payload: bytes) -> bytes:
        key = hmac.digest(self._secret, b"whyleft links 1\0" + month.to_bytes(2, "big"), hashlib.sha256)
        return hmac.digest(key, payload, hashlib.sha256)[:_SIGNATURE_BYTES]


def _month(at: datetime) -> int:
    at = at.astimezone(UTC)
    return (at.year - 2020) * 12 + at.month
