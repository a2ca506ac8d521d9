"""Names as they may be shown: enough to tell people apart, not enough to write to them."""

from __future__ import annotations

from typing import Final

from insights.identity.links import Kind

_HIDDEN: Final = "•••"


def mask(kind: str, value: str) -> str:
    """A name of this kind with its middle hidden; a visitor's id is no name and stays as it is."""
    if kind == Kind.VISITOR:
        return value
    if "@" in value:
        before, _, host = value.rpartition("@")
        return f"{before[:1]}{_HIDDEN}@{host}"
    if kind == Kind.PHONE:
        return f"{value[:3]}{_HIDDEN}{value[-2:]}"
    return f"{value[:2]}{_HIDDEN}{value[-2:]}" if len(value) > 5 else f"{value[:1]}{_HIDDEN}"


def masked_address(address: str) -> str:
    """Where a message went, as everyone may see it: addresses and numbers of people are masked."""
    if "@" in address:
        return mask(Kind.EMAIL, address)
    return mask(Kind.PHONE, address) if address.startswith("+") else address
