"""Every way in which a mail relay goes wrong, spoken in SMTP, and what it must mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from adapters.channels.contract import Rejected, Result, Retry, SendIntent, Suppress, Unknown
from adapters.channels.smtp import SmtpChannel
from tests.channels.servers import mail_server

MAIL: Final = SendIntent("7b1f6a34", "anna@example.com", {"subject": "Your cart", "text": "It waits."})


@dataclass(frozen=True)
class SmtpFault:
    """``answers`` as the mail server of the tests takes them; None: nobody listens. ``login``: it refuses the login."""

    answers: dict[str, str] | None
    means: type[Result]
    login: bool = False


SMTP_FAULTS: Final[dict[str, SmtpFault]] = {
    "nobody listens": SmtpFault(None, Retry),
    "the login is refused": SmtpFault({}, Retry, login=True),
    "450 at the recipient": SmtpFault({"RCPT": "450 4.2.1 try later"}, Retry),
    "550 no such mailbox": SmtpFault({"RCPT": "550 5.1.1 no such user"}, Suppress),
    "550 by policy": SmtpFault({"RCPT": "550 5.7.1 relaying denied"}, Rejected),
    "550 at the sender": SmtpFault({"MAIL": "550 5.7.1 sender not allowed"}, Rejected),
    "hung up at the recipient": SmtpFault({"RCPT": "drop"}, Retry),
    "silence at the recipient": SmtpFault({"RCPT": "hang"}, Retry),
    "452 after the mail": SmtpFault({"DATA": "452 4.3.1 full"}, Retry),
    "552 after the mail": SmtpFault({"DATA": "552 5.3.4 too large"}, Rejected),
    "taken, then hung up": SmtpFault({"DATA": "drop after"}, Unknown),
    "taken, then silence": SmtpFault({"DATA": "hang after"}, Unknown),
}


async def struck_by_smtp(fault: str) -> Result:
    """Sends once through a relay with that fault."""
    row = SMTP_FAULTS[fault]
    sender = "Shop <mail@shop.example>"
    if row.answers is None:
        return await SmtpChannel("smtp://127.0.0.1:1", sender=sender, timeout=5).send(MAIL)
    async with mail_server(login=(lambda _user, _password: False) if row.login else None) as relay:
        relay.answers = row.answers
        url = relay.url.replace("smtp://", "smtp://user:wrong@") if row.login else relay.url
        slow = any(answer.startswith("hang") for answer in row.answers.values())
        return await SmtpChannel(url, sender=sender, timeout=0.5 if slow else 5).send(MAIL)
