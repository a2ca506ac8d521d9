"""SMS through any provider with a plain HTTP API: which field is which is told in the channel's settings.

A repeat is taken to be a second message. Deliveries and opt-outs come back by our own signed callback
(https://www.standardwebhooks.com): {"id", "type": delivered | failed | opted_out | opted_in, "message_id"?, "to"?}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final, Literal
from urllib.parse import urlencode

from pydantic import Field, SecretStr
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from adapters.channels.contract import (
    Accepted,
    Callback,
    CallbackRefused,
    EventKind,
    ProviderEvent,
    Rate,
    Result,
    SendIntent,
    Suppress,
    Unknown,
)
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings, HttpChannel
from adapters.channels.line import Answer, Request, json_request
from adapters.channels.sms.message import recipient_of, told, words_of
from adapters.channels.verdict import said

_KINDS: Final[dict[str, EventKind]] = {
    "delivered": "delivered",
    "failed": "rejected",
    "opted_out": "unsubscribed",
    "opted_in": "resubscribed",
}


class HttpSmsSettings(ChannelSettings):
    """Where to post, and under which names."""

    leads_to: ClassVar[str | None] = "url"

    url: str = Field(description="Where a message is posted.", pattern="^https://[^ ]+$", max_length=500)
    sender: str = Field(description="The number or name that it is from.", min_length=1, max_length=40)
    form: Literal["json", "form"] = Field("json", description="How the body is written.")
    to_field: str = Field("to", description="Name of the recipient's number.", max_length=60)
    from_field: str = Field("from", description="Name of the sender.", max_length=60)
    text_field: str = Field("text", description="Name of the text.", max_length=60)
    key_field: str = Field("reference", description="Name of our own id; empty for none.", max_length=60)
    id_field: str = Field("id", description="Name of the message's id in the answer.", max_length=60)
    plus: bool = Field(True, description="Whether numbers are written with their plus.")
    token_header: str = Field(
        "authorization", description="Header that carries the token.", pattern="^[A-Za-z0-9-]+$", max_length=60
    )
    token_word: str = Field("Bearer", description="The word before the token; empty for none.", max_length=20)
    opted_out: str = Field(
        "", description="Words in a refusal that mean: they opted out (then nothing goes there again).", max_length=100
    )


class HttpSmsCredentials(ChannelCredentials):
    """The provider's token, and what signs the callbacks."""

    token: SecretStr = Field(description="The provider's API token.", min_length=4, max_length=1000)
    callback_secret: SecretStr = Field(
        SecretStr(""), description="whsec_…, the secret that callbacks are signed with.", max_length=200
    )


class HttpSms(HttpChannel[HttpSmsSettings, HttpSmsCredentials]):
    """POST to the address of the settings."""

    kind = "http_sms"
    title = "SMS over HTTP"
    word = "sms"
    sample: ClassVar[Mapping[str, Any]] = {"text": "A test of this channel that you sent yourself."}
    settings_model = HttpSmsSettings
    credentials_model = HttpSmsCredentials
    rate: ClassVar[Rate] = Rate(5, 10)
    speaks_json: ClassVar[bool] = False
    by_hand: ClassVar[str] = (
        "Nothing is known of how this provider erases: ask it, by the number, to delete the messages."
    )

    def request(self, intent: SendIntent) -> Request:
        to = recipient_of(intent)
        text, _ = words_of(intent)
        told_by = self.settings
        body = {
            told_by.to_field: to if told_by.plus else to.removeprefix("+"),
            told_by.from_field: told_by.sender,
            told_by.text_field: text,
        }
        if told_by.key_field:
            body[told_by.key_field] = intent.key
        headers = {
            told_by.token_header.lower(): f"{told_by.token_word} {self.credentials.token.get_secret_value()}".lstrip()
        }
        if told_by.form == "json":
            return json_request("POST", told_by.url, body, headers=headers)
        headers["content-type"] = "application/x-www-form-urlencoded"
        return Request("POST", told_by.url, headers, urlencode(body).encode())

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        if 200 <= answer.status < 300 and not answer.is_page and answer.whole:
            identifier = answer.object.get(self.settings.id_field)
            _, size = words_of(intent)
            return Accepted(str(identifier) if isinstance(identifier, str | int) else None, told(size))
        if 200 <= answer.status < 300:
            return Unknown(f"The provider answered {answer.status} with a page or half an answer: see what is between.")
        words = self.settings.opted_out.casefold()
        if words and 400 <= answer.status < 500 and words in answer.text.casefold():
            return Suppress(f"They opted out, the provider says ({answer.status}{said(answer)}).")
        return None

    async def parse_callback(self, call: Callback) -> list[ProviderEvent]:
        found = _verified(self.credentials.callback_secret.get_secret_value(), call)
        kind = _KINDS.get(str(found.get("type")))
        if kind is None or not isinstance(found.get("id"), str):
            return []
        return [
            ProviderEvent(
                found["id"],
                kind,
                call.at,
                key=_text(found.get("reference")),
                provider_id=_text(found.get("message_id")),
                recipient=_text(found.get("to")),
                detail=_text(found.get("reason")),
            )
        ]


def _verified(secret: str, call: Callback) -> dict[str, Any]:
    if not secret:
        raise CallbackRefused("This channel has no callback_secret: set one before callbacks can be believed.")
    try:
        # Its age is measured by our own clock, not by the library's.
        _check_age(call.headers.get("webhook-timestamp", ""), call.at)
        Webhook(secret).verify(call.raw, dict(call.headers))
        found = json.loads(call.raw)
    except (WebhookVerificationError, ValueError):
        raise CallbackRefused(
            "The callback's signature does not fit or is older than five minutes: check callback_secret and the clock."
        ) from None
    return found if isinstance(found, dict) else {}


def _check_age(timestamp: str, now: datetime) -> None:
    if abs(now.timestamp() - int(timestamp)) > 300:
        raise ValueError


def _text(value: object) -> str | None:
    return value[:300] if isinstance(value, str) else None
