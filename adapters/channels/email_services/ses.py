"""E-mail through Amazon SES v2: the mail as its bytes, a repeat is a second one.

Reference: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html and, for what comes back through
SNS, …/ses/latest/dg/event-publishing-retrieving-sns-contents.html.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Final

from pydantic import Field, SecretStr

from adapters.channels.contract import (
    Accepted,
    Callback,
    EventKind,
    ProviderEvent,
    Rate,
    Rejected,
    Result,
    Retry,
    SendIntent,
)
from adapters.channels.email_services import sns
from adapters.channels.email_services.aws_signature import signed_headers
from adapters.channels.email_services.message import KEY_NAME, SAMPLE, MailSettings, mail_parts, without_empty
from adapters.channels.http_channel import ChannelCredentials, HttpChannel, tag_of
from adapters.channels.line import Answer, Request
from adapters.channels.signed_calls import iso
from adapters.channels.verdict import NEW_KEY_PAUSE, said, short

_EXPIRED: Final = frozenset({"ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException"})
_PAUSED: Final = frozenset({"AccountSuspendedException", "SendingPausedException", "LimitExceededException"})
_KINDS: Final[Mapping[str, EventKind]] = {
    "Delivery": "delivered",
    "DeliveryDelay": "deferred",
    "Bounce": "bounced",
    "Complaint": "complained",
    "Reject": "rejected",
    "Open": "opened",
    "Click": "clicked",
}


class SesSettings(MailSettings):
    """Where, and how it reports."""

    region: str = Field(description="The region, such as eu-central-1.", pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    configuration_set: str = Field(
        "", description="The configuration set whose events go to the topic.", pattern=r"^[A-Za-z0-9_-]{0,64}$"
    )
    topic_arn: str = Field(
        "",
        description="The SNS topic that reports bounces and complaints; callbacks of any other are refused.",
        pattern=r"^(arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256})?$",
    )


class SesCredentials(ChannelCredentials):
    """An access key that may do ses:SendEmail and nothing else."""

    access_key_id: SecretStr = Field(description="AKIA… or ASIA….", min_length=16, max_length=128)
    secret_access_key: SecretStr = Field(description="Its secret.", min_length=16, max_length=200)
    session_token: SecretStr | None = Field(None, description="With temporary credentials (ASIA…).", max_length=4000)


class Ses(HttpChannel[SesSettings, SesCredentials]):
    """POST /v2/email/outbound-emails."""

    kind = "ses"
    title = "Amazon SES"
    word = "email"
    sample = SAMPLE
    settings_model = SesSettings
    credentials_model = SesCredentials
    rate: ClassVar[Rate] = Rate(14, 14)
    by_hand: ClassVar[str] = (
        "Amazon SES keeps no recipients but in the account's suppression list, and this key may only send: take the "
        "address out under SES, Suppression list, and out of the topics that its events went to."
    )

    def request(self, intent: SendIntent) -> Request:
        mail = mail_parts(intent, self.settings.sender)
        body = without_empty(
            {
                "FromEmailAddress": str(mail.sender),
                "Destination": {"ToAddresses": [mail.recipient]},
                "Content": {"Raw": {"Data": base64.b64encode(mail.raw).decode()}},
                "EmailTags": [{"Name": KEY_NAME, "Value": tag_of(intent.key)}],
                "ConfigurationSetName": self.settings.configuration_set,
            }
        )
        content = json.dumps(body).encode()
        url = f"https://email.{self.settings.region}.amazonaws.com/v2/email/outbound-emails"
        token = self.credentials.session_token
        headers = signed_headers(
            "POST",
            url,
            {"content-type": "application/json"},
            content,
            key_id=self.credentials.access_key_id.get_secret_value(),
            secret=self.credentials.secret_access_key.get_secret_value(),
            session_token=token.get_secret_value() if token is not None else None,
            region=self.settings.region,
            service="ses",
            at=self.line.now(),
        )
        return Request("POST", url, headers, content)

    def read(self, answer: Answer, intent: SendIntent) -> Result | None:
        if answer.status == 200 and isinstance(answer.object.get("MessageId"), str):
            return Accepted(answer.object["MessageId"])
        error = (answer.headers.get("x-amzn-errortype") or str(answer.object.get("__type", ""))).partition(":")[0]
        name, words = error.rpartition("#")[2], said(answer)
        if name in _EXPIRED:
            return Retry(f"Amazon refuses the access key ({name}{words}): set a new one.", after=NEW_KEY_PAUSE)
        if name in _PAUSED:
            return Retry(f"Amazon does not let this account send now ({name}{words}).", after=timedelta(minutes=15))
        if name in ("MessageRejected", "MailFromDomainNotVerifiedException"):
            return Rejected(
                f"Amazon refuses the mail ({name}{words}): verify the sender's domain in this region, and in the "
                "sandbox the recipient too."
            )
        if name == "NotFoundException":
            return Rejected(f"Amazon knows no such configuration set ({name}{words}): correct the settings.")
        return None

    async def parse_callback(self, call: Callback) -> list[ProviderEvent]:
        body = await sns.message(call, self.line, self.settings.topic_arn)
        if body.get("Type") != "Notification":
            await sns.confirm(body, self.line)
            return []
        try:
            report = json.loads(str(body.get("Message")))
        except (ValueError, RecursionError):
            return []
        return events(str(body.get("MessageId")), report, call.at) if isinstance(report, Mapping) else []


def events(identifier: str, report: Mapping[str, object], now: datetime) -> list[ProviderEvent]:
    """The events of one report of SES, one a recipient. Pure."""
    name = str(report.get("eventType") or report.get("notificationType"))
    kind = _KINDS.get(name)
    mail, about = report.get("mail"), report.get(name[:1].lower() + name[1:])
    if kind is None or not isinstance(mail, Mapping) or not isinstance(about, Mapping):
        return []
    if kind == "bounced" and about.get("bounceType") != "Permanent":
        kind = "deferred" if about.get("bounceType") == "Transient" else "rejected"
    tags = mail.get("tags")
    tag = tags.get(KEY_NAME) if isinstance(tags, Mapping) else None
    key = tag[0] if isinstance(tag, list) and tag and isinstance(tag[0], str) else None
    message = mail.get("messageId")
    people = about.get("bouncedRecipients") or about.get("complainedRecipients") or about.get("delayedRecipients")
    listed = people if isinstance(people, list) else about.get("recipients") or mail.get("destination")
    found = []
    for number, person in enumerate(listed if isinstance(listed, list) else []):
        address = person.get("emailAddress") if isinstance(person, Mapping) else person
        detail = about.get("link") or about.get("reason")
        detail = detail or (person.get("diagnosticCode") if isinstance(person, Mapping) else None)
        found.append(
            ProviderEvent(
                id=f"{identifier}/{number}",
                kind=kind,
                at=iso(about.get("timestamp")) or iso(mail.get("timestamp")) or now,
                key=key,
                provider_id=message if isinstance(message, str) else None,
                recipient=address if isinstance(address, str) else None,
                detail=short(detail) if isinstance(detail, str) and detail else None,
            )
        )
    return found
