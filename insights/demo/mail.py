"""What stands in a mail, for showing it: subject, people, headers of interest, text and HTML.

Pure. A mail is input from anywhere: whatever is broken in it, something readable comes back and nothing is raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from typing import Final

SHOWN_HEADERS: Final = (
    "Date",
    "Reply-To",
    "Message-ID",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Feedback-ID",
    "Auto-Submitted",
)


@dataclass(frozen=True)
class Mail:
    """One received mail. ``envelope_to`` is who it was delivered to, ``to`` what the mail itself says.

    ``headers`` are the ones of interest, in the order of SHOWN_HEADERS, then every X- header; ``text`` and ``html`` are
    the first part of each kind, None where there is none; ``raw`` is the mail as it came in.
    """

    id: str
    received_at: datetime
    envelope_from: str
    envelope_to: tuple[str, ...]
    subject: str
    sender: str
    to: str
    headers: tuple[tuple[str, str], ...]
    text: str | None
    html: str | None
    attachments: tuple[str, ...]
    raw: bytes

    def header(self, name: str) -> str | None:
        """The first of the shown headers called ``name``, any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def read_mail(
    raw: bytes, *, id: str, received_at: datetime, envelope_from: str = "", envelope_to: tuple[str, ...] = ()
) -> Mail:
    """Take ``raw`` apart. A mail that cannot be read is shown as it came, under the subject “(unreadable)”."""
    try:
        return _read(raw, id, received_at, envelope_from, envelope_to)
    except Exception:
        # The parser of the standard library has a long list of inputs it trips over, each with an error of its own.
        return Mail(
            id=id,
            received_at=received_at,
            envelope_from=envelope_from,
            envelope_to=envelope_to,
            subject="(unreadable)",
            sender=envelope_from,
            to=", ".join(envelope_to),
            headers=(),
            text=raw.decode("utf-8", "replace"),
            html=None,
            attachments=(),
            raw=raw,
        )


def _read(raw: bytes, id: str, received_at: datetime, envelope_from: str, envelope_to: tuple[str, ...]) -> Mail:
    message = message_from_bytes(raw)
    everything = [(name, _plain(str(value))) for name, value in message.raw_items()]
    by_name: dict[str, str] = {}
    for name, value in everything:
        by_name.setdefault(name.lower(), value)
    shown = [(name, by_name[name.lower()]) for name in SHOWN_HEADERS if name.lower() in by_name]
    shown += [(name, value) for name, value in everything if name.lower().startswith("x-")]
    text = html = None
    attachments = []
    for part in message.walk():
        if part.is_multipart():
            continue
        kind, filename = part.get_content_type(), part.get_filename()
        if filename or part.get_content_disposition() == "attachment":
            attachments.append(_plain(filename or kind))
        elif kind == "text/plain" and text is None:
            text = _content(part)
        elif kind == "text/html" and html is None:
            html = _content(part)
    return Mail(
        id=id,
        received_at=received_at,
        envelope_from=envelope_from,
        envelope_to=envelope_to,
        subject=by_name.get("subject", "") or "(no subject)",
        sender=by_name.get("from", "") or envelope_from,
        to=by_name.get("to", "") or ", ".join(envelope_to),
        headers=tuple(shown),
        text=text,
        html=html,
        attachments=tuple(attachments),
        raw=raw,
    )


def _plain(value: str) -> str:
    """A header as people read it: unfolded, encoded words decoded, bytes that are no UTF-8 replaced."""
    value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    value = " ".join(line.strip() for line in value.splitlines())
    try:
        decoded = str(make_header(decode_header(value)))
    except (LookupError, ValueError):
        return value
    # Bytes that their announced charset cannot hold come back as half characters, which no page can be encoded with.
    return decoded.encode("utf-8", "replace").decode("utf-8")


def _content(part: Message) -> str:
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    for charset in _charsets(part):
        try:
            return raw.decode(charset, "replace")
        except (LookupError, ValueError):
            continue
    return raw.decode("utf-8", "replace")


def _charsets(part: Message) -> Iterator[str]:
    declared = part.get_content_charset()
    if declared:
        yield declared
