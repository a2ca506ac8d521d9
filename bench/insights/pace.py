"""How many sessions a second one process classifies and stores, and what a question asked twice costs."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text

from adapters.postgres.engine import Database
from bench.insights.asked import PATIENT, START, broken_shop, model_at, timeline_of
from bench.insights.closing import stored
from bench.report import Figure
from bench.scripted_llm import completion, elsewhere, good, listening
from insights.classification.book import AnswerBook
from insights.classification.classify import Classifier
from insights.classification.closing import SessionCloser


async def throughput(database: Database, project_id: UUID, sessions: int) -> list[Figure]:
    """Sessions a second of one process against a server beside it that answers at once: classified, and stored too."""
    async with elsewhere() as server:
        model = model_at(server)
        alone = Classifier(model, threshold=0.5, deadline=PATIENT)
        timeline, places = timeline_of(broken_shop("Mug")), asyncio.Semaphore(16)

        async def one() -> None:
            async with places:
                await alone.classify(timeline)

        began, used = time.perf_counter(), time.process_time()
        await asyncio.gather(*(one() for _ in range(sessions)))
        classified = sessions / (time.perf_counter() - began)
        of_cpu = sessions / (time.process_time() - used)
        classifier = Classifier(model, threshold=0.5, deadline=PATIENT, book=AnswerBook(database, lambda: START))
        seconds = await stored(database, project_id, sessions, classifier, 32)
        rate = sessions / seconds
        await model.close()
    replayed = await replay(database, project_id)
    return [
        Figure("classified a process", round(classified), "sessions/s", 80, classified >= 80, n=sessions),
        Figure("classified a second of the process's own CPU time", round(of_cpu), "sessions/s", n=sessions),
        Figure("read, classified, stored, flows started", round(rate), "sessions/s", n=sessions),
        Figure("calls of a question that was answered before", replayed, "", bar=0, holds=replayed == 0, n=50),
    ]


async def replay(database: Database, project_id: UUID) -> int:
    """Calls that classifying 50 closed sessions again takes."""
    async with listening(lambda request: completion(good(request))) as server:
        model = model_at(server)
        book = AnswerBook(database, lambda: START)
        closer = SessionCloser(
            database, Classifier(model, threshold=0.5, deadline=PATIENT, book=book), lambda: datetime.now(UTC)
        )
        async with database.transaction(project_id) as tx:
            rows = await tx.execute(text("SELECT session_id FROM insight WHERE answer IS NOT NULL LIMIT 50"))
            sessions = [row[0] for row in rows]
        for session_id in sessions:
            await closer.classify_session(project_id, session_id)
        await model.close()
        if not sessions:
            raise SystemExit("bench.insights: no answer was kept, so nothing could be asked again.")
        return server.calls
