"""E-mail through Postmark: every answer has an ErrorCode, a repeat is a second mail.

Reference: https://postmarkapp.com/developer/api/email-api and …/api/overview#error-codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field, SecretStr

from adapters.channels.contract import (
    Accepted,
    Callback,
    CallbackRefused,
    ProviderEvent,
    Rate,
    Rejected,
    Result,
    Retry,
    SendIntent,
    Suppress,
    Unknown,
)
from adapters.channels.email_services import postmark_events
from adapters.channels.email_services.message import KEY_NAME, SAMPLE, MailKey, MailSettings, mail_parts, without_empty
from adapters.channels.erasing import CannotErase, Erased, Named
from adapters.channels.http_channel import HttpChannel
from adapters.channels.line import Answer, Request, json_request
from adapters.channels.signed_calls import basic, body_of
from adapters.channels.verdict import said

_SENDER = frozenset({400, 401})
_ACCOUNT = frozenset({10, 405, 412, 413})


class PostmarkSettings(MailSettings):
    """Sender and message stream."""

    stream: str = Field(
        "broadcast",
        description="The message stream: a broadcast stream for marketing, outbound for the rest.",
        pattern="^[a-zA-Z0-9_-]{1,30}$",
    )


class PostmarkCredentials(MailKey):
    """The token, and what its webhooks come with."""

    callback_password: SecretStr | None = Field(
        None,
        description="The password in the webhook's address (user whyleft), for bounces and complaints.",
        min_length=16,
        max_length=200,
    )
    account_token: SecretStr | None = Field(
        None,
        description="The account's token, so that people can be erased; Postmark turns this on for those who ask.",
        min_length=8,
        max_length=200,
    )


class Postmark(HttpChannel[PostmarkSettings, PostmarkCredentials]):
    """POST /email."""

    kind = "postmark"
    title = "Postmark"
    word = "email"
    sample = SAMPLE
    settings_model = PostmarkSettings
    credentials_model = PostmarkCredentials
    rate: ClassVar[Rate] = Rate(50, 100)
    when_erased: ClassVar[str] = "Postmark took the request for data removal."

    def request(self, intent: SendIntent) -> Request:
        mail = mail_parts(intent, self.settings.sender)
        body: dict[str, Any] = {
            "From": str(mail.sender),
            "To": mail.recipient,
            "Subject": mail.subject,
            "TextBody": mail.text,
            "HtmlBody": mail.html,
            "ReplyTo": mail.reply_to,
            "MessageStream": self.settings.stream,
            "Metadata": {KEY_NAME: intent.key},
            "Headers": [{"Name": name, "Value": value} for name, value in mail.headers.items()],
        }
        headers = {
            "accept": "application/json",
            "x-postmark-server-token": self.credentials.api_key.get_secret_value(),
        }
        return json_request("POST", "https://api.postmarkapp.com/email", without_empty(body), headers=headers)

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        code = answer.object.get("ErrorCode")
        if answer.status == 200:
            if code == 0:
                identifier = answer.object.get("MessageID")
                return Accepted(identifier if isinstance(identifier, str) else None)
            return _refused(code, answer) if isinstance(code, int) else Unknown("Postmark's answer cannot be read.")
        return _refused(code, answer) if answer.status == 422 and isinstance(code, int) else None

    async def erase(self, person: Named) -> Erased:
        if self.credentials.account_token is None:
            return CannotErase(
                "Postmark erases by the account's token alone, and this channel has none (account_token): ask its "
                "support for a data removal, or set the token."
            )
        return await super().erase(person)

    async def erasing(self, person: Named) -> Sequence[Request] | Retry | Rejected:
        """POST /data-removals (…/developer/api/data-removals-api)."""
        token = self.credentials.account_token
        headers = {"accept": "application/json", "x-postmark-account-token": token.get_secret_value() if token else ""}
        asker = mail_parts(SendIntent("erasure", "a@b.example", SAMPLE), self.settings.sender).sender.addr_spec
        return [
            json_request(
                "POST",
                "https://api.postmarkapp.com/data-removals",
                {"RequestedBy": asker, "RequestedFor": email, "NotifyWhenCompleted": False},
                headers=headers,
            )
            for email in person.emails
        ]

    async def parse_callback(self, call: Callback) -> list[ProviderEvent]:
        password = self.credentials.callback_password
        if password is None:
            raise CallbackRefused(
                "This channel has no callback_password: set one, and put it into the webhook's address."
            )
        basic(call, "whyleft", password.get_secret_value())
        return postmark_events.events(body_of(call), call.at)


def _refused(code: int, answer: Answer) -> Result:
    words = f"({code}{said(answer)})"
    if code == 406:
        return Suppress(f"Postmark has this address as inactive {words}: it bounced or complained.")
    if code in _SENDER:
        return Rejected(f"Postmark does not know the sender {words}: confirm it under Sender Signatures.")
    if code in _ACCOUNT:
        return Retry(f"Postmark does not let this account send {words}.", after=timedelta(minutes=15))
    if code == 100:
        return Retry(f"Postmark is being maintained {words}.")
    if code == 300:
        return Rejected(f"Postmark refuses the mail {words}: check recipient, sender and size.")
    return Rejected(f"Postmark refuses this {words}.")
