"""A write path of its own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.postgres.engine import Database
from insights.events.flush import SessionTimes
from insights.events.record import Recorder


@pytest.fixture
async def recorder(database: Database) -> AsyncIterator[Recorder]:
    recorder = Recorder(database, times=SessionTimes(), max_queued=500)
    recorder.start()
    yield recorder
    await recorder.stop()
