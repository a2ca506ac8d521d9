"""What live visitors cost in memory, and how long the garbage collector stops for them."""

from __future__ import annotations

import gc
import os
import time
from uuid import uuid4

import psutil

from adapters.live.memory import MemoryStore
from bench.batches import bodies
from bench.report import Figure
from insights.events.reading import read_batch
from insights.events.wire import Limits
from insights.profiles.fold import fold
from insights.profiles.profile import Profile
from insights.profiles.store import Copy
from insights.serving.collector import freeze_what_stays

VISITORS = 100_000


def figures() -> list[Figure]:
    """100,000 visitors with one visit of ten events each, in the store that the API keeps them in."""
    now = int(time.time() * 1000)
    visits = [read_batch(body, Limits(), now).batch for body in bodies(500, a_visit=1)]
    store: MemoryStore[Copy] = MemoryStore(capacity=VISITORS + 1, idle_seconds=1e9)
    project = uuid4()
    freeze_what_stays()
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss
    for number in range(VISITORS):
        visit = visits[number % len(visits)]
        profile = Profile()
        for event in visit.events:
            fold(
                profile,
                event_id=event.id,
                session_id=visit.session,
                at_ms=int(event.t),
                type=event.type,
                path="/product/kettle-7",
                props=event.props,
            )
        store.put(project, uuid4(), Copy(profile))
    each = (process.memory_info().rss - before) / VISITORS
    pauses = []
    for _ in range(5):
        started = time.perf_counter()
        gc.collect()
        pauses.append((time.perf_counter() - started) * 1000)
    longest = max(pauses)
    store.clear()
    gc.unfreeze()
    return [
        Figure("memory a live visitor", round(each), "bytes", 2048, each <= 2048, VISITORS),
        Figure("longest full collection, 100,000 visitors", round(longest, 1), "ms", 10, longest <= 10, len(pauses)),
    ]
