"""Names of a person, written one way: two spellings of an address must not make two people, nor "guest" one of all."""

from __future__ import annotations

import re
from typing import Final

LONGEST_USER_ID: Final = 255
LONGEST_EMAIL: Final = 254
"""RFC 5321: what fits between the angle brackets."""
FEWEST_DIGITS: Final = 7
MOST_DIGITS: Final = 15
"""E.164."""

# fmt: off
NOBODY: Final = frozenset((
    "0", "-1", "-", "anonymous", "anon", "default", "distinct_id", "email", "empty", "false", "guest",
    "guest_user", "id", "n/a", "na", "nan", "nil", "none", "not_authenticated", "null", "test", "true",
    "undefined", "unidentified", "unknown", "user", "user_id", "userid", "visitor", "{}", "[]", "",
    "[object object]", "not authenticated",
))
# fmt: on
"""What scripts send as the id of somebody who is not logged in."""

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f.]+(\.[^@\s\x00-\x1f\x7f.]+)*")
_PHONE = re.compile(r"[+0-9][0-9 .\-/()]*")


def user_id(value: object) -> str | None:
    """The shop's id of a customer as it is, without the blanks around it; None when it names nobody."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    return None if text.lower() in NOBODY or len(text) > LONGEST_USER_ID else text


def email(value: object) -> str | None:
    """The address in lower case; None when it is none. Dots and plus signs stay: only the mailbox's host knows them."""
    if not isinstance(value, str):
        return None
    text = value.strip().lower()
    return text if len(text) <= LONGEST_EMAIL and _EMAIL.fullmatch(text) else None


def phone(value: object) -> str | None:
    """Digits with a + before a country's code; None when it is no number.

    A number without its country's code is a name of its own: which country it is dialled in, nobody said.
    """
    if not isinstance(value, str):
        return None
    text = value.strip()
    if not _PHONE.fullmatch(text):
        return None
    # "+49 (0) 171": the zero in brackets is dialled at home only.
    if text.startswith(("+", "00")):
        text = text.replace("(0)", "")
    digits = re.sub(r"[^0-9]", "", text)
    international = text.startswith("+") or digits.startswith("00")
    if international and not text.startswith("+"):
        digits = digits[2:]
    if not FEWEST_DIGITS <= len(digits) <= MOST_DIGITS or len(set(digits)) == 1:
        return None
    return f"+{digits}" if international else digits
