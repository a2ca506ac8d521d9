"""E-mail through SendGrid's v3 Mail Send: a repeat is a second mail, so a lost answer is never repeated.

Reference: https://www.twilio.com/docs/sendgrid/api-reference/mail-send and …/tracking-events/event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

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
)
from adapters.channels.email_services import sendgrid_events
from adapters.channels.email_services.message import KEY_NAME, SAMPLE, MailKey, MailSettings, mail_parts, without_empty
from adapters.channels.erasing import Named
from adapters.channels.http_channel import HttpChannel
from adapters.channels.line import Answer, Request, json_request
from adapters.channels.signed_calls import body_of, ecdsa, fresh, seconds
from adapters.channels.verdict import said


class SendGridSettings(MailSettings):
    """Sender, and how events are verified."""

    callback_public_key: str = Field(
        "",
        description="The verification key of the signed event webhook, for bounces and complaints.",
        pattern=r"^[A-Za-z0-9+/=]{0,500}$",
    )


class SendGrid(HttpChannel[SendGridSettings, MailKey]):
    """POST /v3/mail/send: 202 without a body."""

    kind = "sendgrid"
    title = "SendGrid"
    word = "email"
    sample = SAMPLE
    settings_model = SendGridSettings
    credentials_model = MailKey
    rate: ClassVar[Rate] = Rate(100, 200)
    when_erased: ClassVar[str] = "SendGrid took the job: what it holds of these addresses goes."

    def request(self, intent: SendIntent) -> Request:
        mail = mail_parts(intent, self.settings.sender)
        content = [{"type": "text/plain", "value": mail.text}]
        if mail.html:
            content.append({"type": "text/html", "value": mail.html})
        body: dict[str, Any] = {
            "personalizations": [{"to": [{"email": mail.recipient}], "custom_args": {KEY_NAME: intent.key}}],
            "from": without_empty({"email": mail.sender.addr_spec, "name": mail.sender.display_name}),
            "subject": mail.subject,
            "content": content,
            "headers": dict(mail.headers),
            "reply_to": {"email": mail.reply_to} if mail.reply_to else None,
            # Our own link is in the mail: a second one of theirs would not reach our list.
            "tracking_settings": {"subscription_tracking": {"enable": False}},
        }
        headers = {"authorization": f"Bearer {self.credentials.api_key.get_secret_value()}"}
        return json_request("POST", "https://api.sendgrid.com/v3/mail/send", without_empty(body), headers=headers)

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        if answer.status == 202 and not answer.is_page:
            return Accepted((answer.headers.get("x-message-id") or "").split(".")[0] or None)
        words = said(answer)
        if answer.status == 403 and ("verified" in words or "from address" in words):
            return Rejected(f"SendGrid does not know the sender{words}: verify it under Sender Authentication.")
        if answer.status == 413:
            return Rejected("The mail is too large for SendGrid (30 MB): shorten the template.")
        return None

    async def erasing(self, person: Named) -> Sequence[Request] | Retry | Rejected:
        """POST /v3/recipients/erasejob (…/api-reference/recipients-data-erasure-api)."""
        if not person.emails:
            return []
        headers = {"authorization": f"Bearer {self.credentials.api_key.get_secret_value()}"}
        body = {"email_addresses": list(person.emails)}
        return [json_request("POST", "https://api.sendgrid.com/v3/recipients/erasejob", body, headers=headers)]

    def read_erased(self, answer: Answer) -> Result | None:
        if answer.status == 403 and not answer.is_page:
            return Rejected(
                f"SendGrid's key may not erase (403{said(answer)}): give it recipients.erasejob.create, which support "
                "turns on for accounts from before July 2023."
            )
        return None

    async def parse_callback(self, call: Callback) -> list[ProviderEvent]:
        if not self.settings.callback_public_key:
            raise CallbackRefused("This channel has no callback_public_key: turn on the signed event webhook.")
        stamp = call.headers.get("x-twilio-email-event-webhook-timestamp", "")
        signature = call.headers.get("x-twilio-email-event-webhook-signature", "")
        ecdsa(call, self.settings.callback_public_key, signature, stamp.encode(errors="replace") + call.raw)
        fresh(seconds(stamp), call.at)
        return sendgrid_events.events(body_of(call), call.at)
