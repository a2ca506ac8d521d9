"""``whyleft backfill``."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
import typer
from rich.progress import Progress

from adapters.llm.openai_batch import MOST_QUESTIONS, BatchFailed
from adapters.postgres.engine import Database
from insights import logs
from insights.classification.backfill import MOST_SESSIONS, Tally, name_again, sessions_to_name
from insights.classification.batches import Batches, OpenBatch
from insights.classification.book import AnswerBook
from insights.classification.closing import SessionCloser
from insights.cli.options import DataDir
from insights.cli.session import project_named, with_database
from insights.cli.trouble import screen, told
from insights.errors import Refused
from insights.settings import Settings
from insights.wiring.classifiers import classifiers_of


def backfill(
    project: Annotated[str, typer.Option(help="The project's name.")],
    since: Annotated[
        datetime | None, typer.Option(help="Only visits that began on this day or later.", show_default="all")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most visits, the latest first.")] = MOST_SESSIONS,
    parallel: Annotated[int, typer.Option(min=1, max=64, help="Questions at a time.")] = 8,
    batch: Annotated[
        bool, typer.Option("--batch", help="Through the provider's batch API: cheaper, within a day.")
    ] = False,
    poll: Annotated[float, typer.Option(min=0.05, help="Seconds between two looks at a batch.")] = 30.0,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Hand the batch in; run again to collect it.")] = False,
    data_dir: DataDir = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Name the reasons of past visits again, with the model or rules of today. Starts no flow.

    Visits that this model has explained already are left out, and a batch under way is collected first: stop it and run
    it again as you like.

    Example: [bold]whyleft backfill --project shop --since 2026-10-01 --batch[/bold]
    """
    with told():
        start = since.replace(tzinfo=since.tzinfo or UTC) if since is not None else None

        async def command(database: Database, settings: Settings) -> dict[str, Any]:
            logs.configure(settings)
            found = await project_named(database, project)
            run = _Backfill(database, settings, found.id)
            try:
                if batch:
                    return await run.in_batches(start, limit, poll, wait=not no_wait)
                return await run.side_by_side(start, limit, parallel)
            except BatchFailed as failure:
                raise Refused(
                    f"The provider's batch API does not answer as it should ({failure.why}). Not every server has one: "
                    "leave --batch out to ask one by one."
                ) from None
            finally:
                await run.close()

        report = with_database(data_dir, command)
        typer.echo(msgspec.json.encode(report).decode() if json else _sentence(report))


class _Backfill:
    def __init__(self, database: Database, settings: Settings, project_id: UUID) -> None:
        self._database = database
        self._project_id = project_id
        _, self._classifiers = classifiers_of(settings, database)
        self._batches = Batches(database, self._classifiers, AnswerBook(database, _now), _now)

    async def close(self) -> None:
        await self._classifiers.close()

    async def side_by_side(self, since: datetime | None, limit: int, parallel: int) -> dict[str, Any]:
        sessions = await self._to_name(since, limit)
        closer = SessionCloser(self._database, self._classifiers, _now)
        with Progress(console=screen, transient=True) as bar:
            task = bar.add_task("Naming reasons", total=len(sessions))
            tally = await name_again(
                closer, self._project_id, sessions, parallel=parallel, told=lambda: bar.advance(task)
            )
        return _report(tally, waiting=0)

    async def in_batches(self, since: datetime | None, limit: int, poll: float, *, wait: bool) -> dict[str, Any]:
        tally = Tally()
        under_way = await self._batches.open(self._project_id)
        asked = {session for batch in under_way for session in batch.sessions}
        fresh = [session for session in await self._to_name(since, limit) if session not in asked]
        for begin in range(0, len(fresh), MOST_QUESTIONS):
            with Progress(console=screen, transient=True) as bar:
                part = fresh[begin : begin + MOST_QUESTIONS]
                task = bar.add_task("Handing in", total=len(part))
                made = await self._batches.hand_in(self._project_id, part, told=lambda: bar.advance(task))  # noqa: B023
            if made is not None:
                under_way.append(made)
        waiting = 0
        for batch in under_way:
            done = await self._collected(batch, poll, wait)
            if done is None:
                waiting += 1
            else:
                tally.named += done.named
                tally.skipped += done.skipped
        return _report(tally, waiting=waiting)

    async def _collected(self, batch: OpenBatch, poll: float, wait: bool) -> Tally | None:
        with Progress(console=screen, transient=True) as bar:
            task = bar.add_task(f"Batch {batch.provider_id}", total=len(batch.sessions))
            while (state := await self._batches.state(self._project_id, batch)).status == "waiting":
                bar.update(task, completed=state.answered + state.failed, total=state.total or len(batch.sessions))
                if not wait:
                    return None
                await asyncio.sleep(poll)
            bar.reset(task, total=len(batch.sessions), description="Writing insights")
            return await self._batches.collect(self._project_id, batch, state, told=lambda: bar.advance(task))

    async def _to_name(self, since: datetime | None, limit: int) -> list[UUID]:
        classifier = await self._classifiers.of(self._project_id)
        async with self._database.transaction(self._project_id) as tx:
            return list(await sessions_to_name(tx, self._project_id, classifier.name, since=since, limit=limit))


def _now() -> datetime:
    return datetime.now(UTC)


def _report(tally: Tally, *, waiting: int) -> dict[str, Any]:
    return {
        "named": tally.named,
        "by_rules": tally.by_rules,
        "skipped": tally.skipped,
        "batches_under_way": waiting,
    }


def _sentence(report: dict[str, Any]) -> str:
    text = f"{report['named']} visits named"
    if report["by_rules"]:
        text += f", {report['by_rules']} of them by the rules, as the model had no usable answer"
    text += f"; {report['skipped']} left as they were."
    if report["batches_under_way"]:
        text += f" {report['batches_under_way']} batches are under way: run this again to collect them."
    return text
