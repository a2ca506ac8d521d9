"""Discount codes as text: three groups of four characters (``K7QM-2XWR-9FHP``).

60 random bits, without 0, O, 1 and I, which people mix up when they type.
"""

from __future__ import annotations

import secrets
from typing import Final

ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
GROUPS: Final = 3
GROUP_SIZE: Final = 4


def new_code() -> str:
    """A fresh code from the system's source of randomness."""
    letters = [secrets.choice(ALPHABET) for _ in range(GROUPS * GROUP_SIZE)]
    return _grouped("".join(letters))


def normal(text: str) -> str:
    """The one way in which a code is stored, for whatever a person typed; "" for what can be no code."""
    letters = "".join(character for character in text[:64].upper() if character not in " -\t")
    known = len(letters) == GROUPS * GROUP_SIZE and all(character in ALPHABET for character in letters)
    return _grouped(letters) if known else ""


def _grouped(letters: str) -> str:
    return "-".join(letters[start : start + GROUP_SIZE] for start in range(0, len(letters), GROUP_SIZE))
