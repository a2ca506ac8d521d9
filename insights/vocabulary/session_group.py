"""The name that ties together everything flows do about one session: its successive insights replace one another."""

from __future__ import annotations

from uuid import UUID

PREFIX = "session:"


def session_group(session_id: UUID) -> str:
    """The trigger group of a session."""
    return f"{PREFIX}{session_id}"
