"""Compares what visitors were told and what the provider got with what the database holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from bench.chaos.client import Ledger
from flows.models import Delivery
from insights.settings import Settings

UNDER_WAY = """
SELECT (SELECT count(*) FROM session WHERE close_at IS NOT NULL)
     + (SELECT count(*) FROM flow_run WHERE status = 'sending' OR (status = 'waiting' AND due_at < now() + '1 hour'))
"""
_NOT_ONE_INSIGHT = """
SELECT count(*) FROM session AS s
WHERE (SELECT count(*) FROM insight AS i WHERE i.session_id = s.id AND i.superseded_at IS NULL) <> 1
"""
_SAME_INSIGHT_AGAIN = """
SELECT count(*) - count(DISTINCT (session_id, timeline_hash, classifier)) FROM insight
"""
_WRONG_COUNT = """
SELECT count(*) FROM session AS s
WHERE s.event_count IS DISTINCT FROM (SELECT count(*) FROM event AS e WHERE e.session_id = s.id)
"""
_RUNS_MISSING = """
SELECT count(*) FROM insight AS i JOIN flow AS f ON f.name = i.reason
WHERE i.superseded_at IS NULL AND i.kind = 'abandoned' AND i.confidence >= 0.5
  AND NOT EXISTS (
    SELECT FROM flow_run AS r
    WHERE r.flow_id = f.id AND r.facts->'insight'->>'session_id' = i.session_id::text)
"""
_RUNS_TWICE = """
SELECT count(*) FROM (
    SELECT FROM flow_run WHERE status <> 'cancelled' GROUP BY flow_id, trigger_group HAVING count(*) > 1) AS twice
"""
_OVER_THE_CAP = """
SELECT count(*) FROM (
    SELECT FROM decision WHERE action <> 'do_nothing' GROUP BY session_id HAVING count(*) > :cap) AS over
"""


@dataclass(frozen=True, slots=True)
class Truth:
    """How often something is not as it must be; all of it is 0 where nothing went wrong."""

    lost: int
    twice: int
    invented: int
    not_closed_once: int
    miscounted: int
    runs_missing: int
    runs_twice: int
    runs_dead: int
    over_the_cap: int
    """Sessions with more actions than the settings allow."""
    mails_lost: int
    mails_twice: int
    unknown: int
    """Messages of which nobody can say whether they arrived, listed as such: not a fault, but to be seen."""
    sessions: int
    events: int
    mails: int


async def settle(database: Database, project_id: UUID, seconds: float) -> float | None:
    """Seconds until nothing is under way any more; None when it still was after ``seconds``."""
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        async with database.transaction(project_id) as tx:
            if await tx.scalar(text(UNDER_WAY)) == 0:
                return time.perf_counter() - began
        await asyncio.sleep(0.2)
    return None


async def find(database: Database, project_id: UUID, ledger: Ledger, received: Mapping[str, int]) -> Truth:
    """The truth about one project."""
    async with database.transaction(project_id) as tx:
        stored = [row[0] for row in await tx.execute(text("SELECT id FROM event"))]
        deliveries = (
            await tx.execute(select(Delivery.recipient, Delivery.status).where(Delivery.channel == "email"))
        ).all()
        accounted = {recipient for recipient, status in deliveries if status in ("accepted", "unknown")}
        accepted = {recipient for recipient, status in deliveries if status == "accepted"}
        return Truth(
            lost=len(ledger.acknowledged.keys() - set(stored)),
            twice=len(stored) - len(set(stored)),
            invented=len(set(stored) - ledger.sent),
            not_closed_once=await _count(tx, _NOT_ONE_INSIGHT) + await _count(tx, _SAME_INSIGHT_AGAIN),
            miscounted=await _count(tx, _WRONG_COUNT),
            runs_missing=await _count(tx, _RUNS_MISSING),
            runs_twice=await _count(tx, _RUNS_TWICE),
            runs_dead=await _count(tx, "SELECT count(*) FROM flow_run WHERE status = 'dead'"),
            over_the_cap=int(await tx.scalar(text(_OVER_THE_CAP), {"cap": Settings().actions_per_session}) or 0),
            mails_lost=len(ledger.mails_wanted - accounted) + len(accepted - received.keys()),
            mails_twice=sum(count - 1 for count in received.values()),
            unknown=sum(status == "unknown" for _, status in deliveries),
            sessions=await _count(tx, "SELECT count(*) FROM session"),
            events=len(stored),
            mails=sum(received.values()),
        )


async def durable(database: Database) -> bool:
    """Whether a commit is on the disk when it is answered: a kill does not test that."""
    async with database.transaction(None) as tx:
        said = [str(await tx.scalar(text(f"SHOW {name}"))) for name in ("fsync", "synchronous_commit")]
    return said[0] == "on" and said[1] in ("on", "remote_apply", "remote_write", "local")


async def _count(tx: AsyncSession, query: str) -> int:
    return int(await tx.scalar(text(query)) or 0)
