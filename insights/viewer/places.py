"""The places of the main navigation, in its order: only what exists stands here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Place:
    """``name`` is what a template says it is with ``here``; ``parts`` are pages that belong under it."""

    name: str
    label: str
    path: str
    parts: frozenset[str] = frozenset()


PLACES: Final = (
    Place("home", "Today", "/"),
    Place("sessions", "Sessions", "/sessions", frozenset({"session", "visitor"})),
    Place("flows", "Flows", "/flows", frozenset({"flow"})),
    Place("segments", "Segments", "/segments", frozenset({"segment"})),
    Place("patterns", "Patterns", "/patterns", frozenset({"pattern"})),
    Place("reports", "Reports", "/reports"),
    Place("actions", "Live actions", "/actions", frozenset({"action", "policy"})),
    Place("lift", "Lift", "/lift"),
    Place("channels", "Channels", "/channels", frozenset({"message"})),
    Place("settings", "Settings", "/settings"),
)
