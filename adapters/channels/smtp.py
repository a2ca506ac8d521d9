"""E-mail over SMTP: one connection a mail, and never a second mail where the first may have arrived.

SMTP has no idempotency: once the message's last byte may have left, only the server's answer tells whether it was
taken. An answer lost there is ``Unknown``; everything before it is certain not to have gone out. The relay signs with
DKIM, not we.

Content: subject, text, html (optional), from, reply_to, unsubscribe_url (optional; adds one-click unsubscribe).
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

import aiosmtplib

from adapters.channels.contract import (
    UNLIMITED,
    Accepted,
    Callback,
    NotFound,
    ProviderEvent,
    Rate,
    Rejected,
    Result,
    Retry,
    SendIntent,
    Unknown,
    Unsupported,
    no_callbacks,
)
from adapters.channels.errors import ChannelMisconfigured
from adapters.channels.mail import Mail, MailInvalid, build, named_address
from adapters.channels.public_only import InnerAddress
from adapters.channels.smtp_reply import about_message, about_recipient, about_sender

LOGIN_PAUSE: Final = timedelta(minutes=5)
"""A refused login is tried again no sooner: relays lock accounts that try too often."""

Dial = Callable[[str, int], Awaitable[socket.socket]]
"""Host and port to a connected socket; raises InnerAddress, OSError."""

_Progress = Literal["before", "handed over", "taken"]


class SmtpChannel:
    """Sends through one relay. ``url`` is smtp://user:password@host:port or smtps://…; raises ChannelMisconfigured.

    With smtp:// the connection is upgraded where the server offers it; with a password it must be, except to this
    machine. ``timeout`` (seconds) holds for a whole send. ``tls`` replaces the default certificate check. ``dial``
    opens the connection: for relays that a customer names.
    """

    name: Final = "email"
    id: Final = None
    rate: Final[Rate] = UNLIMITED
    idempotency: Final = "none"
    key_ttl: Final = None

    def __init__(
        self,
        url: str,
        *,
        sender: str,
        timeout: float = 30.0,
        tls: ssl.SSLContext | None = None,
        dial: Dial | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        advice = "WHYLEFT_SMTP_URL is not a mail relay: write smtp://user:password@host:587 or smtps://host:465."
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ChannelMisconfigured(advice) from None
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.query or parts.path.strip("/"):
            raise ChannelMisconfigured(advice)
        try:
            self._sender = named_address(sender)
        except MailInvalid:
            raise ChannelMisconfigured(
                "WHYLEFT_MAIL_FROM is not a sender: write an address, or Name <address>."
            ) from None
        self._host = parts.hostname
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password or "") if self._user else None
        self._implicit_tls = parts.scheme == "smtps"
        self._port = port or (465 if self._implicit_tls else 587 if self._user else 25)
        self._timeout = timeout
        self._tls = tls
        self._dial = dial
        self._clock = clock

    async def send(self, intent: SendIntent) -> Result:
        try:
            mail = build(intent.key, intent.recipient, intent.content, sender=self._sender, at=self._clock())
        except MailInvalid as error:
            return Rejected(str(error))
        dial = None if self._dial is None else partial(self._dial, self._host, self._port)
        return await _Attempt(self._connection(), mail, self._timeout, dial).run()

    async def lookup(self, key: str) -> Accepted | NotFound | Unsupported:
        return Unsupported()

    async def parse_callback(self, call: Callback) -> list[ProviderEvent]:
        return await no_callbacks(call)

    def _connection(self) -> aiosmtplib.SMTP:
        upgrade: bool | None = None
        if self._implicit_tls:
            upgrade = False
        elif self._user and not _is_this_machine(self._host):
            upgrade = True
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port if self._dial is None else None,
            username=self._user,
            password=self._password,
            # Given, because looking up our own full name asks a name server and may hang.
            local_hostname=_own_name(),
            timeout=self._timeout,
            use_tls=self._implicit_tls,
            start_tls=upgrade,
            tls_context=self._tls,
        )


class _Attempt:
    """One mail over one connection, and how far it got."""

    def __init__(
        self,
        smtp: aiosmtplib.SMTP,
        mail: Mail,
        timeout: float,
        dial: Callable[[], Awaitable[socket.socket]] | None,
    ) -> None:
        self._dial = dial
        self._smtp = smtp
        self._mail = mail
        self._timeout = timeout
        self._progress: _Progress = "before"

    async def run(self) -> Result:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._talk()
        except aiosmtplib.SMTPAuthenticationError as error:
            return Retry(
                f"The mail server refuses the login ({error.code}): check user and password in WHYLEFT_SMTP_URL.",
                after=LOGIN_PAUSE,
            )
        except aiosmtplib.SMTPSenderRefused as error:
            return about_sender(error.code, error.message)
        except aiosmtplib.SMTPRecipientRefused as error:
            return about_recipient(error.code, error.message)
        except aiosmtplib.SMTPDataError as error:
            return about_message(error.code, error.message)
        except InnerAddress as error:
            return Rejected(f"{error} Name a relay that is.")
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            return self._interrupted(error)
        finally:
            self._smtp.close()

    async def _talk(self) -> Result:
        if self._dial is None:
            await self._smtp.connect()
        else:
            await self._smtp.connect(sock=await self._dial())
        await self._smtp.mail(self._mail.sender)
        await self._smtp.rcpt(self._mail.recipient)
        self._progress = "handed over"
        await self._smtp.data(self._mail.raw)
        self._progress = "taken"
        # Taken is taken: a server that hangs up without a good-bye changes nothing.
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):
            await self._smtp.quit()
        return Accepted(self._mail.message_id)

    def _interrupted(self, error: Exception) -> Result:
        if self._progress == "taken":
            return Accepted(self._mail.message_id)
        what = type(error).__name__
        if isinstance(error, TimeoutError):
            what = f"no answer within {self._timeout:g} s"
        if self._progress == "handed over":
            return Unknown(f"The connection broke while the message was handed over ({what}): look for its Message-ID.")
        if "STARTTLS" in str(error):
            return Retry(
                "The mail server offers no encryption, and a password is not sent without: use smtps:// or a relay "
                "that offers STARTTLS."
            )
        return Retry(f"The mail server cannot be used now ({what}): check WHYLEFT_SMTP_URL if this stays.")


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _own_name() -> str:
    name = socket.gethostname()
    return name if name.isascii() and name.replace("-", "").replace(".", "").isalnum() else "localhost"
