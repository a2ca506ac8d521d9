"""Exactly what would be sent about a session, and where: for people who want to see it before it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Preview:
    """``body`` is the JSON of the first request to ``address``; None: no model is configured, so nothing is sent.

    ``events`` of the session's ``of`` events are in it. ``by_a_bot``: of this session nothing is sent either way.
    """

    address: str | None
    model: str | None
    body: dict[str, Any]
    events: int
    of: int
    by_a_bot: bool = False
