"""Web Push (RFC 8030, 8188, 8291, 8292): to browsers that subscribed on the shop's pages.

The message is encrypted for the one browser; push services see sizes and times. A repeat has the same Topic and takes
the place of the first one where it was not shown yet; where it was, the browser shows it in the same place (``tag``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pywebpush import WebPusher, WebPushException

from adapters.channels.contract import Accepted, Idempotency, Rate, Rejected, Result, SendIntent, Suppress, Unknown
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings, ContentInvalid, HttpChannel
from adapters.channels.line import Answer, Request
from adapters.channels.push.note import note_of, subscription_of
from adapters.channels.push.vapid import KeyInvalid, authorization, new_key, public_key

MOST_PAYLOAD: Final = 3_000
"""Bytes before encryption. Push services take 4096 after it."""
MOST_ENDPOINT: Final = 1_500


class WebPushSettings(ChannelSettings):
    """Who sends."""

    contact: str = Field(
        description="Where a push service can reach you: mailto:you@shop.example or https://shop.example.",
        pattern=r"^(mailto:[^@\s]+@[^@\s]+|https://[^\s]+)$",
        max_length=200,
    )


class WebPushCredentials(ChannelCredentials):
    """The VAPID key."""

    private_key: SecretStr = Field(
        default_factory=lambda: SecretStr(new_key()),
        description="32 bytes in base64url; left out, one is made for you.",
    )

    @field_validator("private_key")
    @classmethod
    def _is_key(cls, key: SecretStr) -> SecretStr:
        try:
            public_key(key.get_secret_value())
        except KeyInvalid as error:
            raise ValueError(str(error)) from None
        return key


class WebPush(HttpChannel[WebPushSettings, WebPushCredentials]):
    """POST to the browser's own endpoint."""

    kind = "web_push"
    title = "Web Push"
    word = "push"
    settings_model = WebPushSettings
    credentials_model = WebPushCredentials
    idempotency: ClassVar[Idempotency] = "natural"
    rate: ClassVar[Rate] = Rate(100, 200)
    sample: ClassVar[Mapping[str, Any]] = {"title": "A test of this channel", "body": "You sent it yourself."}
    speaks_json: ClassVar[bool] = False
    by_hand: ClassVar[str] = (
        "A push service knows no names, only the browser's subscription, which is forgotten here and ends with it."
    )

    @property
    def public_key(self) -> str:
        """What pages subscribe with."""
        return public_key(self.credentials.private_key.get_secret_value())

    def request(self, intent: SendIntent) -> Request:
        note = note_of(intent)
        subscription = subscription_of(intent)
        endpoint, keys = subscription.get("endpoint"), subscription.get("keys")
        if not isinstance(endpoint, str) or len(endpoint) > MOST_ENDPOINT or urlsplit(endpoint).scheme != "https":
            raise ContentInvalid("The subscription has no https endpoint.")
        payload = json.dumps(note.shown(), ensure_ascii=False).encode()
        if len(payload) > MOST_PAYLOAD:
            raise ContentInvalid(f"The message is larger than {MOST_PAYLOAD} bytes: shorten title, body or url.")
        try:
            encrypted = WebPusher({"endpoint": endpoint, "keys": keys}).encode(payload)["body"]
        except (WebPushException, ValueError, TypeError, KeyError, AttributeError):
            raise ContentInvalid("The subscription's keys are not those of a browser.") from None
        headers = {
            "authorization": authorization(
                self.credentials.private_key.get_secret_value(), endpoint, self.settings.contact, self.line.now()
            ),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(note.seconds),
            "topic": note.topic,
            "urgency": "normal",
        }
        return Request("POST", endpoint, headers, encrypted)

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        if 200 <= answer.status < 300:
            if answer.is_page or not answer.whole:
                return Unknown(f"A page or half an answer came from the push service ({answer.status}).")
            return Accepted(answer.headers.get("location"))
        if answer.is_page:
            return None
        if answer.status in (404, 410):
            return Suppress(f"The browser has unsubscribed ({answer.status}).")
        if answer.status == 413:
            return Rejected("The message is too large for the push service (413): shorten it.")
        if answer.status in (400, 403) and "vapid" in answer.text.casefold():
            return Suppress(
                f"The browser subscribed with another key ({answer.status}): show pages the public_key of this channel."
            )
        return None
