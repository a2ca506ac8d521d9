"""The write path without HTTP: rows a second of the recorder beside a raw COPY into a table of the same shape."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from uuid import UUID, uuid4

import msgspec
import psycopg

from adapters.postgres.engine import Database, DatabaseUrls, conninfo
from bench.batches import EVENTS, bodies
from bench.report import Figure
from insights.events.entry import Entry
from insights.events.flush import SessionTimes
from insights.events.reading import read_batch
from insights.events.record import Recorder
from insights.events.wire import Limits
from insights.models import Project

BATCHES = 4_000
A_FLUSH = 100
"""Batches in one commit, of the recorder and of COPY."""


def _entries(project_id: UUID) -> list[Entry]:
    """As ``api/ingest`` makes them: each stands for a profile that holds the visitor's batches before it."""
    now = int(time.time() * 1000)
    entries = []
    versions: Counter[UUID] = Counter()
    for body in bodies(BATCHES, a_visit=10):
        batch = read_batch(body, Limits(), now).batch
        url = batch.page.url if batch.page else None
        entry = Entry(project_id, batch.visitor, batch.session, batch.tab, url, now, batch.events)
        entry.before, entry.fresh = versions[batch.visitor], len(batch.events)
        versions[batch.visitor] += entry.fresh
        entries.append(entry)
    return entries


async def _record(recorder: Recorder, entries: list[Entry]) -> float:
    """As when there is always somebody: while ``A_FLUSH`` batches are committed as many wait. Those that were answered
    come again together, so the sizes of the first two flushes are those of all."""
    waiting = iter(entries)

    async def one() -> None:
        for entry in waiting:
            await recorder.record(entry)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as senders:
        for _ in range(2):
            for _ in range(A_FLUSH):
                senders.create_task(one())
            await asyncio.sleep(0.001)  # until they are being written
    return sum(len(entry.events) for entry in entries) / (time.perf_counter() - started)


async def _copy(connection: psycopg.AsyncConnection[tuple[object, ...]], entries: list[Entry]) -> float:
    """COPY of text made beforehand, a commit for as many rows as the recorder writes in one."""
    project, encode = str(entries[0].project_id), msgspec.json.encode
    texts = []
    for start in range(0, len(entries), A_FLUSH):
        lines = []
        for entry in entries[start : start + A_FLUSH]:
            for event in entry.events:
                at = f"{int(event.t) // 1000}"
                stamp = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(int(at)))
                fields = (project, str(entry.session_id), str(uuid4()), str(entry.visitor_id), entry.tab)
                fields += (str(event.seq), stamp, stamp, event.type, entry.page_url or "")
                lines.append("\t".join((*fields, encode(event.props).decode().replace("\\", "\\\\"))))
        texts.append(("\n".join(lines) + "\n").encode())
    rows = sum(len(entry.events) for entry in entries)
    started = time.perf_counter()
    for text in texts:
        async with connection.transaction(), connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            await copy.write(text)
    return rows / (time.perf_counter() - started)


_COPY = (
    "COPY bench_copy (project_id, session_id, id, visitor_id, tab, seq, occurred_at, received_at, type, url, props)"
    " FROM STDIN"
)


async def figures(urls: DatabaseUrls, rounds: int) -> list[Figure]:
    """The recorder's share of COPY, rounds in turn."""
    database = Database(urls)
    project_id = uuid4()
    async with database.transaction(None) as tx:
        tx.add(Project(id=project_id, name=f"bench-{project_id}", allowed_origins=[]))
    flushed: list[int] = []
    recorder = Recorder(
        database,
        times=SessionTimes(),
        max_queued=1_000_000,
        on_flushed=lambda events, seconds: flushed.append(events),
    )
    recorder.start()
    ours, floor = [], []
    async with await psycopg.AsyncConnection.connect(conninfo(urls.owner), autocommit=True) as connection:
        await connection.execute("CREATE TABLE bench_copy (LIKE event INCLUDING INDEXES)")
        for _ in range(rounds):
            entries = _entries(project_id)
            floor.append(await _copy(connection, entries))
            ours.append(await _record(recorder, entries))
        await connection.execute("DROP TABLE bench_copy")
    await recorder.stop()
    await database.close()
    share = statistics.median(mine / copied for mine, copied in zip(ours, floor, strict=True))
    sizes = f"rows/s, {A_FLUSH * EVENTS:,} a commit", f"rows/s, {statistics.median(flushed):,.0f} a commit"
    return [
        Figure("raw COPY of made text", round(statistics.median(floor)), sizes[0], n=rounds),
        Figure("recorder (dedupe, sessions, visitors, RLS)", round(statistics.median(ours)), sizes[1], n=rounds),
        Figure("write path, share of COPY", round(share, 3), "", 0.60, share >= 0.60, rounds),
    ]
