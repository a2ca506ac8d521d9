"""A project's own webhook, signed by the Standard Webhooks scheme (https://www.standardwebhooks.com).

The receiver drops repeats by ``webhook-id``. Only addresses on the public internet are called, whatever a name turns
into in between. Content: the JSON object to post.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final

from pydantic import Field, SecretStr, field_validator
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from adapters.channels.contract import Accepted, Idempotency, Rate, Rejected, Result, Retry, SendIntent
from adapters.channels.erasing import Named, told_to_erase
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings, ContentInvalid, HttpChannel
from adapters.channels.line import Answer, Request
from adapters.channels.verdict import retry_after

MOST_BODY: Final = 256 * 1024


class SignedWebhookSettings(ChannelSettings):
    """Where it is posted."""

    url: str = Field(description="Your address; https.", pattern="^https://[^ ]+$", max_length=500)


class SignedWebhookCredentials(ChannelCredentials):
    """What it is signed with."""

    secret: SecretStr = Field(description="whsec_ and the base64 of 24 to 64 random bytes.")

    @field_validator("secret")
    @classmethod
    def _signs(cls, secret: SecretStr) -> SecretStr:
        text = secret.get_secret_value()
        try:
            Webhook(text)
        except (EmptyWebhookSecretError, ValueError):
            text = ""
        if not text.startswith("whsec_") or len(text) < len("whsec_") + 32:
            raise ValueError('write what this prints: echo "whsec_$(openssl rand -base64 32)"')
        return secret


class SignedWebhook(HttpChannel[SignedWebhookSettings, SignedWebhookCredentials]):
    """POST to the address of the settings."""

    kind = "webhook"
    title = "Signed webhook"
    word = "webhook"
    settings_model = SignedWebhookSettings
    credentials_model = SignedWebhookCredentials
    idempotency: ClassVar[Idempotency] = "key"
    # Receivers are asked to remember ids for a day.
    key_ttl: ClassVar[timedelta | None] = timedelta(hours=23)
    rate: ClassVar[Rate] = Rate(20, 50)
    sample: ClassVar[Mapping[str, Any]] = {"type": "test", "data": {"note": "A test of this channel."}}
    speaks_json: ClassVar[bool] = False
    knows_visitors: ClassVar[bool] = True
    when_erased: ClassVar[str] = "Your webhook was told to erase them (person.erase)."

    async def erasing(self, person: Named) -> Sequence[Request] | Retry | Rejected:
        content = told_to_erase(person)
        return [self.request(SendIntent(person.key, None, content))] if content is not None else []

    def read_erased(self, answer: Answer) -> Result | None:
        return self.read(answer, SendIntent("erasure", None, {}))

    def request(self, intent: SendIntent) -> Request:
        body = json.dumps(dict(intent.content), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        if len(body.encode()) > MOST_BODY:
            raise ContentInvalid(f"The content is larger than {MOST_BODY} bytes of JSON.")
        key = intent.key
        if not (0 < len(key) <= 200 and key.isascii() and all(one.isalnum() or one in "-_.:/" for one in key)):
            raise ContentInvalid("The key cannot be a webhook-id: up to 200 letters, digits and -_.:/ only.")
        now = self.line.now()
        headers = {
            "content-type": "application/json",
            "webhook-id": key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(self.credentials.secret.get_secret_value()).sign(key, now, body),
        }
        return Request("POST", self.settings.url, headers, body.encode())

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        if 200 <= answer.status < 300:
            return None if answer.is_page or not answer.whole else Accepted()
        if answer.status == 410:
            return Rejected("The webhook says that it is gone (410): set its new address, or switch the channel off.")
        if answer.status >= 500 and not answer.is_page:
            # The scheme has it that anything but 2xx was not taken, and its id makes a repeat harmless.
            return Retry(
                f"The webhook answered {answer.status}.", retry_after(answer.headers.get("retry-after"), answer.at)
            )
        return None
