"""The two characters without a look of their own that writing needs: Persian and Hindi, and families of emoji."""

from __future__ import annotations

import unicodedata
from typing import Final

JOINERS: Final = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"

_WITHOUT: Final = str.maketrans("", "", JOINERS)


def is_one_line(text: str) -> bool:
    """Whether nothing in it is invisible or breaks the line, but for joiners."""
    return text.translate(_WITHOUT).isprintable()


def joins(text: str, at: int) -> bool:
    """Whether the character at ``at`` is a joiner where one belongs: between letters, marks or pictures beyond ASCII.

    Anywhere else it could hide something, the dot of an address say.
    """
    return (
        text[at] in JOINERS
        and 0 < at < len(text) - 1
        and all(not one.isascii() and unicodedata.category(one)[0] in "LMS" for one in (text[at - 1], text[at + 1]))
    )
