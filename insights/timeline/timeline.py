"""What a timeline is: the events of one session in the order in which they happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from insights.events.aside import is_aside


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One stored event. ``at`` is the corrected client time; ``props`` are as sent and hostile until checked."""

    id: UUID
    at: datetime
    type: str
    tab: str = ""
    seq: int = 0
    url: str | None = None
    props: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The path of the page it happened on ("" when unknown); never a query string."""
        own = self.props.get("path") if self.type == "page_viewed" else None
        if isinstance(own, str) and own:
            return own
        try:
            return urlsplit(self.url).path if self.url else ""
        except ValueError:
            return ""


@dataclass(frozen=True, slots=True)
class PriorVisits:
    """What is known of the visitor from before this session."""

    sessions: int = 0
    purchases: int = 0
    last_seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """A whole session. ``events`` are sorted by ``assemble``."""

    project_id: UUID
    session_id: UUID
    visitor_id: UUID
    events: tuple[TimelineEvent, ...]
    prior: PriorVisits = PriorVisits()

    @property
    def by_a_bot(self) -> bool:
        """Whether the browser says that nobody sits before it: a crawler, or one that a program drives."""
        clients = (event.props.get("client") for event in self.events if event.type == "page_viewed")
        return any(isinstance(client, Mapping) and client.get("bot") is True for client in clients)

    @property
    def is_no_visit(self) -> bool:
        """Whether all of it is what a server says of a person: a CRM that tells of its customers every night brings
        nobody to the shop, and nobody came to it for what was bought at a till."""
        return bool(self.events) and all(is_aside(event.tab, event.type, event.props) for event in self.events)
