"""E-mail through a relay that a project names: SMTP as the server's own, at a public address, always encrypted.

The name is resolved once, judged, and that very address is connected to; the certificate is checked for the name.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import replace
from typing import ClassVar, Literal
from urllib.parse import quote
from uuid import UUID

from pydantic import Field, SecretStr

from adapters.channels.contract import Accepted, Rate, Result, SendIntent
from adapters.channels.email_services.message import SAMPLE, MailSettings
from adapters.channels.http_channel import ChannelCredentials, ProviderChannel
from adapters.channels.line import Line
from adapters.channels.public_only import open_socket
from adapters.channels.smtp import SmtpChannel

_IN_OTHER_WORDS = (("WHYLEFT_SMTP_URL", "the channel's settings and credentials"), ("WHYLEFT_MAIL_FROM", "the sender"))


class SmtpSettings(MailSettings):
    """Which relay."""

    leads_to: ClassVar[str | None] = "host"

    host: str = Field(description="The relay, such as smtp.mail.example.", pattern=r"^[A-Za-z0-9.-]{1,253}$")
    port: int = Field(587, description="587 with starttls, 465 with tls; your relay's page says which.", ge=1, le=65535)
    encryption: Literal["starttls", "tls"] = Field("starttls", description="How the connection is encrypted.")


class SmtpCredentials(ChannelCredentials):
    """The relay's login."""

    user: SecretStr = Field(description="The user.", min_length=1, max_length=300)
    password: SecretStr = Field(
        description="The password, or the key that stands for one.", min_length=1, max_length=500
    )


class SmtpRelay(ProviderChannel[SmtpSettings, SmtpCredentials]):
    """One connection a mail."""

    kind = "smtp"
    title = "SMTP relay"
    word = "email"
    sample = SAMPLE
    settings_model = SmtpSettings
    credentials_model = SmtpCredentials
    rate: ClassVar[Rate] = Rate(10, 20)
    by_hand: ClassVar[str] = (
        "A mail server has no call for it: its log and the mailbox of the sender may name the address."
    )

    def __init__(
        self,
        settings: SmtpSettings,
        credentials: SmtpCredentials,
        line: Line,
        *,
        id: UUID | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(settings, credentials, line, id=id)
        user, password = (quote(part.get_secret_value(), safe="") for part in (credentials.user, credentials.password))
        scheme = "smtps" if settings.encryption == "tls" else "smtp"
        self._smtp = SmtpChannel(
            f"{scheme}://{user}:{password}@{settings.host}:{settings.port}",
            sender=settings.sender,
            dial=self._dial,
            tls=tls,
        )

    async def send(self, intent: SendIntent) -> Result:
        result = await self._smtp.send(intent)
        if isinstance(result, Accepted):
            return result
        why = result.why
        for name, words in _IN_OTHER_WORDS:
            why = why.replace(name, words)
        return self._clean(replace(result, why=why))

    async def _dial(self, host: str, port: int) -> socket.socket:
        return await open_socket(host, port, public=self.line.public)
