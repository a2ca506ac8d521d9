"""People to reach in tests: rows of the database."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from adapters.postgres.engine import Database
from insights.models import Session, Visitor
from insights.vocabulary.ids import uuid7
from tests.recovery.sessions import START

AGREED = {"marketing": True}


async def visitor(
    database: Database,
    project_id: UUID,
    *,
    email: str | None = "Anna@Example.com",
    phone: str | None = None,
    consent: dict[str, Any] | None = None,
    time_zone: Any = None,
) -> UUID:
    """A visitor, with one session if a time zone is given."""
    identifier = uuid4()
    async with database.transaction(project_id) as tx:
        tx.add(
            Visitor(
                project_id=project_id,
                id=identifier,
                first_seen_at=START,
                user_id="customer-7",
                email=email,
                phone=phone,
                consent=AGREED if consent is None else consent,
            )
        )
        if time_zone is not None:
            tx.add(
                Session(
                    project_id=project_id,
                    id=uuid7(),
                    visitor_id=identifier,
                    started_at=START,
                    last_event_at=START,
                    last_received_at=START,
                    client={"time_zone": time_zone},
                )
            )
    return identifier
