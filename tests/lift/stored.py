"""Stores made people as the product would have: a decision each, the visit it was made in, and the order after it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert

from adapters.postgres.engine import Database
from flows.models import Conversion
from insights.lift.people import Person
from insights.models import Decision, Session, Shop
from insights.vocabulary.ids import uuid7
from insights.vocabulary.withheld import HOLDOUT

MARGIN_RATE = 0.3


async def store(
    database: Database, project_id: UUID, people: Iterable[Person], *, share: float, since: datetime
) -> None:
    """The shop with its holdout, and everybody of ``people``."""
    decisions, visits, orders = [], [], []
    for person in people:
        decisions.append(_decision(project_id, person))
        visits.append(
            {
                "project_id": project_id,
                "id": decisions[-1]["session_id"],
                "visitor_id": decisions[-1]["visitor_id"],
                "started_at": person.at,
                "last_event_at": person.at,
                "last_received_at": person.at,
                "source": {"referrer": "www.google.com"} if person.known.source == "search" else {},
                "client": {"viewport": {"phone": "390x844", "tablet": "800x1200"}.get(str(person.known.device))},
            }
        )
        if person.orders:
            orders.append(
                {
                    "project_id": project_id,
                    "key": f"order-{uuid4()}",
                    "visitor_id": decisions[-1]["visitor_id"],
                    "occurred_at": person.at + timedelta(minutes=5),
                    "value_minor": round(person.margin / MARGIN_RATE),
                    "currency": "EUR",
                }
            )
    async with database.transaction(project_id) as tx:
        tx.add(Shop(project_id=project_id, holdout=share, holdout_since=since, margin_rate=MARGIN_RATE, currency="EUR"))
        for table, rows in ((Decision, decisions), (Session, visits), (Conversion, orders)):
            if rows:
                await tx.execute(insert(table), rows)


def _decision(project_id: UUID, person: Person) -> dict[str, Any]:
    at_ms = int(person.at.timestamp() * 1000)
    return {
        "project_id": project_id,
        "id": uuid7(at_ms),
        "visitor_id": uuid4(),
        "session_id": uuid7(at_ms),
        "event_id": uuid7(at_ms),
        "decided_at": person.at,
        "policy": HOLDOUT if person.held_out else "rules-1",
        "stage": person.stage,
        "intent": {},
        "probabilities": {},
        "excluded": {},
        "action": "do_nothing" if person.held_out else person.action,
        "why": "",
        "latency_us": 1,
        "rules": person.action,
        "held_back": person.action if person.held_out else None,
    }
