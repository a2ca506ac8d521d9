"""Mailboxes: which spellings of an e-mail address reach the same one, for caps that fresh ones must not get around.

People are joined by the address as it was said (``names.email``); this is for counting only, where a mistake costs a
stranger at most an offer and never shows them anybody's data.
"""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import UUID

from insights.identity import names

_NO_DOTS: Final = frozenset({"gmail.com", "googlemail.com"})
"""Hosts that publish that dots before the @ mean nothing to them."""


def mailbox(address: object) -> str | None:
    """The address without its tag (``ada+shop@``) and dots that its host ignores; None for no address."""
    written = names.email(address)
    if written is None:
        return None
    local, _, host = written.rpartition("@")
    local, host = local.partition("+")[0] or local, _ascii(host)
    if host in _NO_DOTS:
        local, host = local.replace(".", "") or local, "gmail.com"
    return f"{local}@{host}"


def _ascii(host: str) -> str:
    """The host as it stands in the DNS, which has one spelling for wide letters, umlauts and their punycode."""
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host


def mailbox_key(salt: UUID, address: object) -> bytes | None:
    """Stands for the mailbox in what is counted, keyed by the shop's salt; None when it is no address."""
    found = mailbox(address)
    if found is None:
        return None
    return hashlib.blake2b(found.encode(), key=salt.bytes, person=b"mailbox", digest_size=16).digest()
