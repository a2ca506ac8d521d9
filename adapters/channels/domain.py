"""A domain as the DNS, mail servers and browsers have it. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_DOTS = re.compile("[.\u3002\uff0e\uff61]")
_OWN_SINCE_2008: Final = frozenset("ßẞς")
_JOINERS: Final = frozenset("\u200c\u200d")


def in_the_dns(domain: str) -> str:
    """A domain in punycode. Raises UnicodeError.

    Python's own codec follows the rules of 2003 (RFC 3490), which write ß as ss and ς as σ and leave joiners out: since
    those of 2008 (RFC 5891) that is another domain, which may be somebody else's.
    """
    if _JOINERS & set(domain):
        raise UnicodeError
    labels = []
    for label in _DOTS.split(domain):
        old = label.encode("idna").decode()  # refuses what no domain may have
        if _OWN_SINCE_2008 & set(label):
            letters = unicodedata.normalize("NFKC", "".join(letter.lower() for letter in label))
            old = "xn--" + letters.encode("punycode").decode()
        labels.append(old)
    return ".".join(labels)
