"""Addresses that others post to: their last part finds the project and the thing in it. It proves nothing."""

from __future__ import annotations

import base64
import binascii
from uuid import UUID


def address_of(project_id: UUID, thing_id: UUID) -> str:
    """The last part of the address of a project's channel or webhook source."""
    return base64.urlsafe_b64encode(project_id.bytes + thing_id.bytes).rstrip(b"=").decode()


def read_address(address: str) -> tuple[UUID, UUID] | None:
    """Project and thing of such an address; None when it is none of ours."""
    try:
        raw = base64.b64decode(address.encode("ascii") + b"=" * (-len(address) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    return (UUID(bytes=raw[:16]), UUID(bytes=raw[16:])) if len(raw) == 32 else None
