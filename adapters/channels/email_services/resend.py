"""E-mail through Resend: a key of ours makes a repeat within 24 hours harmless.

Reference: https://resend.com/docs/api-reference/emails/send-email and /docs/dashboard/emails/idempotency-keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar
from urllib.parse import quote

from pydantic import Field, SecretStr

from adapters.channels.contract import (
    Accepted,
    Callback,
    CallbackRefused,
    Idempotency,
    ProviderEvent,
    Rate,
    Rejected,
    Result,
    Retry,
    SendIntent,
    Unknown,
)
from adapters.channels.email_services import resend_events
from adapters.channels.email_services.message import KEY_NAME, SAMPLE, MailKey, MailSettings, mail_parts, without_empty
from adapters.channels.erasing import Named
from adapters.channels.http_channel import HttpChannel, tag_of
from adapters.channels.line import Answer, Request, json_request
from adapters.channels.signed_calls import body_of, standard_webhook
from adapters.channels.verdict import said

_BUSY = timedelta(seconds=30)


class ResendCredentials(MailKey):
    """The key, and what its webhooks are signed with."""

    callback_secret: SecretStr | None = Field(
        None, description="The signing secret of the webhook (whsec_…), for bounces and complaints.", max_length=200
    )


class Resend(HttpChannel[MailSettings, ResendCredentials]):
    """POST /emails."""

    kind = "resend"
    title = "Resend"
    word = "email"
    sample = SAMPLE
    settings_model = MailSettings
    credentials_model = ResendCredentials
    idempotency: ClassVar[Idempotency] = "key"
    # An hour less than promised: two clocks and a queue lie between.
    key_ttl: ClassVar[timedelta | None] = timedelta(hours=23)
    rate: ClassVar[Rate] = Rate(2, 2)
    when_erased: ClassVar[str] = (
        "Resend deleted the contact; mails that went out stay in its log for as long as your plan has."
    )

    def request(self, intent: SendIntent) -> Request:
        mail = mail_parts(intent, self.settings.sender)
        body = without_empty(
            {
                "from": str(mail.sender),
                "to": [mail.recipient],
                "subject": mail.subject,
                "text": mail.text,
                "html": mail.html,
                "reply_to": mail.reply_to,
                "headers": dict(mail.headers),
                "tags": [{"name": KEY_NAME, "value": tag_of(intent.key)}],
            }
        )
        headers = {
            "authorization": f"Bearer {self.credentials.api_key.get_secret_value()}",
            "idempotency-key": tag_of(intent.key),
        }
        return json_request("POST", "https://api.resend.com/emails", body, headers=headers)

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        name = answer.object.get("name")
        if answer.status in (200, 201):
            identifier = answer.object.get("id")
            return Accepted(identifier) if isinstance(identifier, str) else Unknown("Resend's answer cannot be read.")
        if name == "concurrent_idempotent_requests":
            return Retry("Resend is still at the first try of this mail.", after=_BUSY)
        if name == "invalid_idempotent_request":
            return Unknown(f"Resend knows this key with another content ({answer.status}): look for it in its log.")
        if name in ("daily_quota_exceeded", "monthly_quota_exceeded"):
            return Retry(f"Resend's quota is used up{said(answer)}: raise the plan.", after=timedelta(hours=1))
        if answer.status == 403 and "verif" in str(answer.object.get("message", "")):
            return Rejected(f"Resend does not know the sender's domain{said(answer)}: verify it under Domains.")
        return None

    async def erasing(self, person: Named) -> Sequence[Request] | Retry | Rejected:
        """DELETE /contacts/{email} (…/api-reference/contacts/delete-contact)."""
        headers = {"authorization": f"Bearer {self.credentials.api_key.get_secret_value()}"}
        return [
            Request("DELETE", f"https://api.resend.com/contacts/{quote(email, safe='')}", headers)
            for email in person.emails
        ]

    def read_erased(self, answer: Answer) -> Result | None:
        if answer.object.get("name") == "restricted_api_key":
            return Rejected("Resend's key may only send: set one with full access, or delete the contact there.")
        return None

    async def parse_callback(self, call: Callback) -> list[ProviderEvent]:
        secret = self.credentials.callback_secret
        if secret is None:
            raise CallbackRefused("This channel has no callback_secret: copy it from Resend's webhook page.")
        identifier = standard_webhook(call, secret.get_secret_value(), prefix="svix")
        return resend_events.events(identifier, body_of(call), call.at)
