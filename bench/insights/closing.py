"""Closes made-up visits with a classifier, as a worker does."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from adapters.postgres.engine import Database
from bench.visits import visits
from insights.classification.classify import Classifier
from insights.classification.closing import SessionCloser
from insights.events.flush import SessionTimes
from insights.events.record import Recorder


async def stored(database: Database, project_id: UUID, sessions: int, classifier: Classifier, parallel: int) -> float:
    """Has ``sessions`` new visits closed by this classifier; returns the seconds from first claim to last commit."""
    now = datetime.now(UTC)
    recorder = Recorder(database, times=SessionTimes(timedelta(0), timedelta(0)), max_queued=10**7)
    recorder.start()
    await asyncio.gather(*(recorder.record(entry) for entry in visits(project_id, sessions, now)))
    await recorder.stop()
    later = datetime.now(UTC) + timedelta(minutes=5)
    closer = SessionCloser(database, classifier, lambda: later, parallel=parallel, lease=timedelta(hours=1))
    began = time.perf_counter()
    while await closer.close_due():
        pass
    return time.perf_counter() - began
