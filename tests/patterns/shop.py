"""Writes weeks of closed sessions with insights, the quick way."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy import insert

from adapters.postgres.engine import Database
from insights.models import Event, Insight, Session, Visitor
from insights.vocabulary.ids import uuid7

NOW = datetime(2026, 11, 21, 14, 0, 0, tzinfo=UTC)


@dataclass
class Weeks:
    """Sessions of one project. Two kinds of reasons on each page; ``store`` writes them."""

    project_id: UUID
    seed: int = 1
    rows: list[dict[str, Any]] = field(default_factory=list)

    def page(
        self,
        path: str,
        *,
        rate: float = 3,
        share: float = 0.12,
        now: float | None = None,
        changed_hours: int = 0,
        since_hours: int = 369,
        until_hours: int = 0,
        reason: str = "technical_error",
        otherwise: str = "distraction",
        kind: str = "abandoned",
        version: str = "evidence-3",
        **session: Any,
    ) -> Weeks:
        """``rate`` sessions an hour that end on ``path``."""
        rng = np.random.default_rng([self.seed, len(self.rows)])
        for hours_ago in range(until_hours, since_hours):
            p = now if now is not None and hours_ago < changed_hours else share
            for _ in range(rng.poisson(rate)):
                at = NOW - timedelta(hours=hours_ago + 0.01 + 0.98 * rng.random())
                self.rows.append(
                    {
                        "at": at,
                        "path": path,
                        "reason": reason if rng.random() < p else otherwise,
                        "kind": kind,
                        "version": version,
                        **session,
                    }
                )
        return self

    async def store(self, database: Database) -> list[UUID]:
        """Writes everything; the ids of the sessions."""
        sessions, visitors, insights = [], [], []
        for row in self.rows:
            session_id, visitor_id, at = uuid7(int(row["at"].timestamp() * 1000)), uuid4(), row["at"]
            row["id"], row["visitor_id"] = session_id, visitor_id
            visitors.append(
                {
                    "project_id": self.project_id,
                    "id": visitor_id,
                    "first_seen_at": at,
                    "traits": {},
                    "consent": {},
                }
            )
            sessions.append(
                {
                    "project_id": self.project_id,
                    "id": session_id,
                    "visitor_id": visitor_id,
                    "started_at": at - timedelta(minutes=5),
                    "last_event_at": at - timedelta(minutes=1),
                    "last_received_at": at,
                    "closed_at": at + row.get("late", timedelta(0)),
                    "exit_path": row["path"],
                    "landing_path": "/",
                    "purchased": row["kind"] == "converted",
                    "cart_value_minor": row.get("cart", 0),
                    "currency": "EUR",
                    "product": row.get("product"),
                    "kind": row["kind"],
                    "reason": row["reason"],
                    "source": {"utm_source": row["source"]} if row.get("source") else {},
                    "client": {
                        "viewport": row.get("viewport", "1200x800"),
                        "time_zone": row.get("zone", "Europe/Vienna"),
                        "bot": row.get("bot", False),
                    },
                }
            )
            insights.append(
                {
                    "project_id": self.project_id,
                    "id": uuid7(),
                    "session_id": session_id,
                    "visitor_id": visitor_id,
                    "kind": row["kind"],
                    "reason": row["reason"],
                    "confidence": 0.8,
                    "narrative": "",
                    "evidence": [],
                    "suggested_actions": [],
                    "classifier": row["version"],
                    "timeline_hash": "",
                    "created_at": at,
                }
            )
        async with database.transaction(self.project_id) as tx:
            for model, rows in ((Visitor, visitors), (Session, sessions), (Insight, insights)):
                await tx.execute(insert(model), rows)
        return [row["id"] for row in self.rows]

    def shifted(self, by: timedelta) -> Weeks:
        """The same, later."""
        for row in self.rows:
            row["at"] += by
        return self

    async def broken_request(self, database: Database, hours: int) -> None:
        """The sessions with a technical error in the last hours met the same failing request."""
        async with database.transaction(self.project_id) as tx:
            for row in self.rows:
                if row["reason"] == "technical_error" and row["at"] > NOW - timedelta(hours=hours):
                    tx.add(
                        Event(
                            project_id=self.project_id,
                            session_id=row["id"],
                            id=uuid7(int(row["at"].timestamp() * 1000)),
                            visitor_id=row["visitor_id"],
                            tab="a",
                            seq=1,
                            occurred_at=row["at"] - timedelta(minutes=2),
                            received_at=row["at"] - timedelta(minutes=2),
                            type="request_failed",
                            url="https://shop.example/cart",
                            props={"method": "POST", "path": "/api/cart", "status": 500, "ms": 40},
                        )
                    )
