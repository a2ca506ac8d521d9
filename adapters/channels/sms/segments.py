"""How many segments a short message takes: what is paid for, and what a phone puts together again. Pure.

3GPP TS 23.038: a message that keeps to the GSM alphabet has 160 places in one segment and 153 in each of several; one
character beyond it, and all of the message is UTF-16 with 70 and 67. A character is never split over two segments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Encoding = Literal["GSM-7", "UCS-2"]

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")
_PLACES: Final[dict[Encoding, tuple[int, int]]] = {"GSM-7": (160, 153), "UCS-2": (70, 67)}


@dataclass(frozen=True, slots=True)
class Size:
    """``strangers``: the characters that are not of the GSM alphabet, in the order in which they come, each once."""

    encoding: Encoding
    segments: int
    strangers: str


def size_of(text: str) -> Size:
    """The size of ``text`` as it is sent; an empty one takes one segment."""
    strangers = "".join(dict.fromkeys(letter for letter in text if letter not in _BASIC and letter not in _EXTENDED))
    encoding: Encoding = "UCS-2" if strangers else "GSM-7"
    widths = [_width(letter, encoding) for letter in text]
    alone, several = _PLACES[encoding]
    if sum(widths) <= alone:
        return Size(encoding, 1, strangers)
    segments, left = 1, several
    for width in widths:
        if width > left:
            segments, left = segments + 1, several
        left -= width
    return Size(encoding, segments, strangers)


def _width(letter: str, encoding: Encoding) -> int:
    if encoding == "UCS-2":
        return 2 if ord(letter) > 0xFFFF else 1
    return 2 if letter in _EXTENDED else 1
