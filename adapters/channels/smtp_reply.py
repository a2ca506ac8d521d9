"""What a mail server's refusal means: try later, give up, or never write to this address again.

Pure. Reply codes: RFC 5321 section 4.2; the finer ``5.1.1`` kind: RFC 3463 and its registry. Where a server sends no
finer code the words decide, and a doubt is a plain refusal: one wrong suppression costs more than one wrong mail.
"""

from __future__ import annotations

import re
from typing import Final

from adapters.channels.contract import Rejected, Result, Retry, Suppress

_FINER = re.compile(r"\b5\.(\d{1,3})\.(\d{1,3})\b")
# No such mailbox, no such domain, bad syntax, moved, the domain takes no mail, mailbox disabled.
_NO_MAILBOX: Final = frozenset({(1, 1), (1, 2), (1, 3), (1, 6), (1, 10), (2, 1)})
_ADDRESS = re.compile(r"<?[^\s<>@]+@[^\s<>@]+>?")
_POLICY = re.compile(
    r"relay|policy|denied|blocked|blacklist|blocklist|spam|reputation|authenti|spf|dkim|dmarc|sender|"
    r"rate|quota|full|size",
    re.IGNORECASE,
)
_GONE = re.compile(
    r"unknown|no such|not exist|doesn.t exist|not found|invalid|no mailbox|unavailable|disabled|inactive|unrouteable|"
    r"not (?:a )?(?:valid|known|local)|user",
    re.IGNORECASE,
)


def about_recipient(code: int, text: str) -> Result:
    """What the answer to RCPT TO, or to the whole message with an address code in it, says of this recipient."""
    if code < 500:
        return Retry(f"The mail server asks to come back later ({code} {_short(text)}).")
    if no_such_mailbox(code, text):
        return Suppress(f"The mail server knows no such mailbox ({code} {_short(text)}).")
    return Rejected(
        f"The mail server refuses this recipient ({code} {_short(text)}): check that the relay may send to "
        "addresses outside its own domain."
    )


def about_message(code: int, text: str) -> Result:
    """What the answer to DATA says."""
    if code >= 500 and _FINER.search(text) and no_such_mailbox(code, text):
        return about_recipient(code, text)
    if code >= 500:
        return Rejected(f"The mail server refuses the message ({code} {_short(text)}): see what its policy asks for.")
    return Retry(f"The mail server asks to come back later ({code} {_short(text)}).")


def about_sender(code: int, text: str) -> Result:
    """What the answer to MAIL FROM says."""
    if code >= 500:
        return Rejected(
            f"The mail server refuses the sender ({code} {_short(text)}): set WHYLEFT_MAIL_FROM to an address it knows."
        )
    return Retry(f"The mail server asks to come back later ({code} {_short(text)}).")


def no_such_mailbox(code: int, text: str) -> bool:
    """True when the refusal is about the address for good, not about us, the message, or a full mailbox."""
    finer = _FINER.search(text)
    if finer is not None:
        return (int(finer[1]), int(finer[2])) in _NO_MAILBOX
    return code in (550, 551, 553) and _POLICY.search(text) is None and _GONE.search(text) is not None


def _short(text: str) -> str:
    # Servers repeat the address; why a delivery failed is shown and logged where the address is not.
    return _ADDRESS.sub("<address>", " ".join(text.split()))[:200]
