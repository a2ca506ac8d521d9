"""What a short message says, checked before anybody is paid for it.

Content: text; from (optional, instead of the channel's sender). The recipient is a phone number.
"""

from __future__ import annotations

from typing import Final

from adapters.channels.contract import SendIntent
from adapters.channels.http_channel import ContentInvalid, text_of
from adapters.channels.phone import PhoneInvalid, e164
from adapters.channels.sms.segments import Size, size_of

MOST_TEXT: Final = 1600
MOST_SEGMENTS: Final = 10

STOP_WORDS: Final = frozenset(
    {"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "stopp", "arret", "alto"}
)
START_WORDS: Final = frozenset({"start", "unstop", "yes"})


def recipient_of(intent: SendIntent) -> str:
    """The recipient's number. Raises ContentInvalid."""
    if not intent.recipient:
        raise ContentInvalid("There is no phone number to write to.")
    try:
        return e164(intent.recipient)
    except PhoneInvalid as error:
        raise ContentInvalid(str(error)) from None


def words_of(intent: SendIntent) -> tuple[str, Size]:
    """The text and what it takes. Raises ContentInvalid."""
    text = text_of(intent.content, "text", MOST_TEXT)
    size = size_of(text)
    if size.segments > MOST_SEGMENTS:
        strangers = f"; {size.strangers[:10]!r} make every segment shorter" if size.strangers else ""
        raise ContentInvalid(f"The text takes {size.segments} segments, at most {MOST_SEGMENTS} are sent{strangers}.")
    return text, size


def told(size: Size) -> str:
    """``2 segments (GSM-7)``."""
    return f"{size.segments} segment{'' if size.segments == 1 else 's'} ({size.encoding})"


def asks_to_stop(text: str) -> bool:
    """Whether a reply is one of the words that end messages: the whole of it, as carriers have it."""
    return _bare(text) in STOP_WORDS


def asks_to_start(text: str) -> bool:
    """Whether a reply asks for messages again."""
    return _bare(text) in START_WORDS


def _bare(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())
