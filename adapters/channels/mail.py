"""The bytes of an e-mail: headers that nobody can inject into, a text part and an HTML part.

Pure but for the Date header, which is given. RFC 5322 (format), RFC 2369 and RFC 8058 (List-Unsubscribe).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from typing import Final
from urllib.parse import urlsplit

from adapters.channels.domain import in_the_dns

MOST_ADDRESS: Final = 254
MOST_SUBJECT: Final = 200
MOST_PART: Final = 1_000_000
MOST_LINK: Final = 900

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_LINK = re.compile(r"[!-;=?-~]+")


class MailInvalid(ValueError):
    """No e-mail can be made of this; the message names the part and says what it takes."""


@dataclass(frozen=True, slots=True)
class Mail:
    """Ready for DATA: ``sender`` and ``recipient`` are bare addresses in ASCII."""

    message_id: str
    sender: str
    recipient: str
    raw: bytes


def address(text: str) -> str:
    """A bare address in ASCII, its domain in punycode. Raises MailInvalid.

    Quoted local parts, address literals and local parts beyond ASCII are refused: no shop's customer has one, and
    each is a way to smuggle something.
    """
    local, at, domain = text.strip().rpartition("@")
    try:
        ascii_domain = in_the_dns(domain)
    except UnicodeError:
        ascii_domain = ""
    labels = ascii_domain.split(".")
    plain = f"{local}@{ascii_domain}"
    if not at or len(local) > 64 or len(plain) > MOST_ADDRESS or not _LOCAL.fullmatch(local):
        raise MailInvalid("This is not an e-mail address that can be written to.")
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise MailInvalid("The domain of this e-mail address is not one.")
    return plain


def named_address(text: str) -> Address:
    """``Shop <mail@shop.example>`` or a bare address. Raises MailInvalid."""
    name, bare = parseaddr(one_line(text))
    # What was escaped in it is not any more.
    return Address(display_name=one_line(name), addr_spec=address(bare))


def message_id(key: str, sender: str) -> str:
    """The same key and sender domain always give the same id, so that a repeat can be recognised as one."""
    return f"<{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}@{sender.rpartition('@')[2]}>"


def build(key: str, recipient: str | None, content: Mapping[str, object], *, sender: Address, at: datetime) -> Mail:
    """The mail for ``content`` {subject, text, html?, from?, reply_to?, unsubscribe_url?}. Raises MailInvalid."""
    if not recipient:
        raise MailInvalid("There is no recipient.")
    to = address(recipient)
    subject = one_line(_text(content, "subject", MOST_SUBJECT))
    text = _text(content, "text", MOST_PART)
    if not subject or not text.strip():
        raise MailInvalid("A mail needs a subject and a text part.")
    author = named_address(_text(content, "from", 500)) if content.get("from") else sender
    identifier = message_id(key, author.addr_spec)
    message = EmailMessage(policy=SMTP)
    message["From"] = author
    message["To"] = Address(addr_spec=to)
    message["Subject"] = subject
    message["Date"] = at
    message["Message-ID"] = identifier
    if content.get("reply_to"):
        message["Reply-To"] = named_address(_text(content, "reply_to", 500))
    try:
        message.set_content(text, cte="quoted-printable")
        if content.get("html"):
            message.add_alternative(_text(content, "html", MOST_PART), subtype="html", cte="quoted-printable")
        raw = message.as_bytes()
    except UnicodeError:
        raise MailInvalid("The text holds half of a character (a lone surrogate) and cannot be written.") from None
    return Mail(identifier, author.addr_spec, to, _unsubscribe_headers(content) + raw)


def _unsubscribe_headers(content: Mapping[str, object]) -> bytes:
    if not content.get("unsubscribe_url"):
        return b""
    link = _text(content, "unsubscribe_url", MOST_LINK)
    if urlsplit(link).scheme not in ("http", "https") or not _LINK.fullmatch(link):
        raise MailInvalid("unsubscribe_url is not an http(s) address.")
    # Written as they are: the email package would fold the long link into encoded words, which no mail program reads.
    return f"List-Unsubscribe: <{link}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n".encode("ascii")


def _text(content: Mapping[str, object], name: str, most: int) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise MailInvalid(f"The mail's {name} is missing.")
    if len(value) > most:
        raise MailInvalid(f"The mail's {name} is longer than {most} characters.")
    return value


def one_line(text: str) -> str:
    """The text as a header may have it: what it would be read as beside what it is, is taken apart."""
    # Control characters, line and paragraph separators and lone surrogates: none of them belongs into a header.
    kept = (" " if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") else character for character in text)
    # An encoded word (RFC 2047) is decoded by the email package too, line breaks in it and all, and written out so.
    return " ".join("".join(kept).split()).replace("=?", "= ?")
