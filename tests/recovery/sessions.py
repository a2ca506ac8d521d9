"""Sessions to test with: a timeline from a list of (type, props)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from insights.timeline.assemble import assemble
from insights.timeline.timeline import Timeline, TimelineEvent
from insights.vocabulary.ids import uuid7_from_key

START = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
PROJECT = UUID("00000000-0000-4000-8000-0000000000aa")
VISITOR = UUID("00000000-0000-4000-8000-0000000000bb")
SESSION = uuid7_from_key(int(START.timestamp() * 1000), "session")
INSIGHT = UUID("00000000-0000-4000-8000-0000000000cc")
MUG = {"product_id": "mug", "name": "Morning mug", "price_minor": 1450, "currency": "EUR"}
KETTLE = {"product_id": "kettle", "name": "Gooseneck kettle", "price_minor": 6900, "currency": "EUR"}


def session(*events: tuple[str, dict[str, Any]], url: str = "https://shop.example/cart?token=1#pay") -> Timeline:
    """A timeline with one event a second; every event happened on ``url``."""
    return assemble(
        PROJECT,
        SESSION,
        VISITOR,
        [
            TimelineEvent(
                id=uuid7_from_key(int(START.timestamp() * 1000), f"event {number}"),
                at=START + timedelta(seconds=number),
                type=kind,
                seq=number,
                url=url,
                props=props,
            )
            for number, (kind, props) in enumerate(events)
        ],
    )
