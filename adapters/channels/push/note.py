"""What a push message says and to whom, checked once for every kind of push.

Content: title, body, url (where a click leads), icon (optional), topic (optional: a newer message of the same topic
takes the place of an older one that was not shown yet), hours (how long it is worth showing), and ``subscription``:
{endpoint, keys: {p256dh, auth}} of a browser, or {token} of an app. The recipient is our name of the subscription.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from adapters.channels.contract import SendIntent
from adapters.channels.http_channel import ContentInvalid, text_of

MOST_TITLE: Final = 120
MOST_BODY: Final = 400
MOST_URL: Final = 1500
MOST_HOURS: Final = 24 * 28
HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Note:
    """A message. ``topic``: 32 letters that the same key, or the same topic of the content, always gives."""

    title: str
    body: str
    url: str
    icon: str
    topic: str
    seconds: int

    def shown(self) -> dict[str, str]:
        """As the service worker reads it: only what there is."""
        named = {"title": self.title, "body": self.body, "url": self.url, "icon": self.icon, "tag": self.topic}
        return {name: value for name, value in named.items() if value}


def note_of(intent: SendIntent) -> Note:
    """The message of an intent. Raises ContentInvalid."""
    content = intent.content
    topic = text_of(content, "topic", 200, required=False) or intent.key
    digest = hashlib.sha256(topic.encode("utf-8", "surrogatepass")).digest()[:24]
    return Note(
        title=text_of(content, "title", MOST_TITLE),
        body=text_of(content, "body", MOST_BODY, required=False),
        url=_address(content, "url"),
        icon=_address(content, "icon"),
        topic=base64.urlsafe_b64encode(digest).decode(),
        seconds=_hours(content.get("hours")) * 3600,
    )


def subscription_of(intent: SendIntent) -> Mapping[str, Any]:
    """The subscription of an intent. Raises ContentInvalid."""
    found = intent.content.get("subscription")
    if not isinstance(found, Mapping) or not intent.recipient:
        raise ContentInvalid("There is no subscription to push to.")
    return found


def _address(content: Mapping[str, object], name: str) -> str:
    url = text_of(content, name, MOST_URL, required=False)
    if not url:
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ContentInvalid(f"The {name} is no address.") from None
    if parts.scheme != "https" and not (parts.scheme == "" and url.startswith("/") and not url.startswith("//")):
        raise ContentInvalid(f"The {name} must be an https address or a path of the shop.")
    return url


def _hours(given: object) -> int:
    if given is None:
        return HOURS
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= MOST_HOURS:
        raise ContentInvalid(f"hours must be a whole number from 1 to {MOST_HOURS}.")
    return given
