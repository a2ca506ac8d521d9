"""Rows: the events of an entry as the timeline keeps them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from msgspec import Struct

from insights.events.entry import Entry
from insights.events.kept import kept_props, kept_url, only_allowed


class Row(Struct, gc=False):
    """An event as ``flush.WRITE`` takes it."""

    session_id: UUID
    id: UUID
    visitor_id: UUID
    tab: str
    seq: int
    at: float
    received: int
    type: str
    url: str | None
    props: dict[str, Any]


def rows_of(entry: Entry) -> list[Row]:
    """The entry's events, in its order, with nothing in them that the timeline does not keep."""
    session, visitor, tab, page, received = (
        entry.session_id,
        entry.visitor_id,
        entry.tab,
        kept_url(entry.page_url),
        entry.received_ms,
    )
    extra = entry.extra_fields
    return [
        Row(
            session,
            event.id,
            visitor,
            tab,
            event.seq,
            event.t,
            received,
            event.type,
            kept_url(event.url) or page,
            kept_props(event.type, event.props if extra is None else only_allowed(event.type, event.props, extra)),
        )
        for event in entry.events
    ]
