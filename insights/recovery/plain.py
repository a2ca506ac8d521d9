"""What of a stranger's text may stand in a message: one short line, nothing invisible, nothing that becomes a link.

Pure. Names of products, paths and error messages come from whoever holds the public write key. Escaping is the
template's work; this keeps out what escaping does not: line breaks, text direction tricks, and addresses that mail
programs make clickable on their own.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from insights.vocabulary.joiners import JOINERS, joins

MOST_MINOR: Final = 2**53
"""Largest amount or count that JSON readers agree on."""

_CURRENCY = re.compile(r"[A-Z]{3}")
_SPACE = re.compile(r"\s+")
_SCHEME = re.compile(r"\b[\w.+-]*:/+", re.IGNORECASE)
# A full stop inside a word is what makes a host name; "2.5 kg" and "J.R." have none that is followed by two letters.
_HOST_DOT = re.compile(rf"(?<=\w)[.。．｡](?=[^\W\d_][{JOINERS}]?[^\W\d_])")
_END: Final = f" {JOINERS}"


def one_line(value: object, most: int) -> str:
    """``value`` as one line of at most ``most`` characters; "" when it is no text or nothing is left of it."""
    if not isinstance(value, str):
        return ""
    # Twice the limit is enough to look at: what is dropped below is rare, and the input may be huge.
    shown = value[: 2 * most]
    if not (shown.isascii() and shown.isprintable()):
        drawn = (one if _visible(one) or joins(shown, at) else " " for at, one in enumerate(shown))
        shown = _SPACE.sub(" ", "".join(drawn))
    elif "  " in shown:
        shown = _SPACE.sub(" ", shown)
    line = shown.strip()
    return line if len(line) <= most else line[: most - 1].rstrip(_END) + "…"


def unlinked(value: object, most: int) -> str:
    """``one_line`` with every address taken apart, so that no mail program makes a link of it."""
    line = one_line(value, most)
    if line.isascii() and "." not in line and ":/" not in line:
        return line  # most are: closing a session looks at dozens
    return one_line(_HOST_DOT.sub(". ", _SCHEME.sub(" ", line)), most)


def whole(value: object) -> int | None:
    """``value`` when it is a count or an amount from 0 to 2^53, else None. 5.0 is 5."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_MINOR:
        return value
    return None


def currency(value: object) -> str | None:
    """``value`` when it looks like an ISO 4217 code, else None."""
    return value if isinstance(value, str) and _CURRENCY.fullmatch(value) else None


def _visible(character: str) -> bool:
    # Cc, Cf (text direction, zero width; a joiner that joins is another matter), Cs (lone surrogates), Co, Cn, Zl and
    # Zp are not drawn, or draw lies.
    category = unicodedata.category(character)
    return category[0] != "C" and category not in ("Zl", "Zp")
