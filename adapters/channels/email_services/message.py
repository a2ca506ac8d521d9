"""What an e-mail says, checked as the bytes of one are: the same mail goes out whichever service carries it.

Content: subject, text, html (optional), reply_to, unsubscribe_url (optional; adds one-click unsubscribe, RFC 8058).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, SecretStr

from adapters.channels.contract import SendIntent
from adapters.channels.http_channel import ChannelCredentials, ChannelSettings, ContentInvalid, text_of
from adapters.channels.mail import MOST_PART, MailInvalid, build, named_address, one_line

KEY_NAME: Final = "whyleft_delivery"
"""The name under which a delivery's key travels with a mail and comes back in callbacks."""


SAMPLE: Final[Mapping[str, Any]] = {
    "subject": "A test of this channel",
    "text": "This is a test that you sent yourself. If you read it, mails of this channel arrive.\n",
    "html": "<p>This is a test that you sent yourself. If you read it, mails of this channel arrive.</p>",
}
"""What a test of a mail channel says."""


def _sender(text: str) -> str:
    try:
        named_address(text)
    except MailInvalid as error:
        raise ValueError(f"{error} Write an address, or Name <address>") from None
    return text


Sender = Annotated[str, AfterValidator(_sender), Field(max_length=320)]


class MailSettings(ChannelSettings):
    """What every mail service is told."""

    sender: Sender = Field(description="Who the mail is from: an address of a verified domain, or Name <address>.")


class MailKey(ChannelCredentials):
    """One API key, and what its callbacks are verified with."""

    api_key: SecretStr = Field(description="The key that may send mail.", min_length=8, max_length=500)


@dataclass(frozen=True, slots=True)
class MailParts:
    """One mail in the terms of mail services. ``headers`` beside the usual ones."""

    sender: Address
    recipient: str
    subject: str
    text: str
    html: str
    reply_to: str
    headers: Mapping[str, str]
    raw: bytes


def mail_parts(intent: SendIntent, sender: str) -> MailParts:
    """The mail of an intent. Raises ContentInvalid."""
    content = intent.content
    author = named_address(sender)
    try:
        # Built as bytes too: what cannot stand in a mail is refused here, in our words, not by each service in its own.
        built = build(intent.key, intent.recipient, content, sender=author, at=datetime.now(UTC))
    except MailInvalid as error:
        raise ContentInvalid(str(error)) from None
    headers = {}
    link = content.get("unsubscribe_url")
    if link:
        headers = {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return MailParts(
        sender=author,
        recipient=built.recipient,
        subject=one_line(text_of(content, "subject", 1000)),
        text=text_of(content, "text", MOST_PART),
        html=text_of(content, "html", MOST_PART, required=False),
        reply_to=str(named_address(content["reply_to"])) if content.get("reply_to") else "",
        headers=headers,
        raw=built.raw,
    )


def without_empty(body: Mapping[str, object]) -> dict[str, Any]:
    """``body`` without what is empty: services refuse an empty html."""
    return {name: value for name, value in body.items() if value not in ("", None, {}, [])}
