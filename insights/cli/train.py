"""``whyleft train``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from adapters.postgres.engine import Database
from insights.cli.options import AsJson, DataDir, ProjectName
from insights.cli.session import project_named, with_database
from insights.cli.trouble import screen, told
from insights.errors import Refused
from insights.intents.examples import MEANING
from insights.intents.training import Trained, calibration_error, report, train
from insights.models import IntentModelVersion
from insights.settings import Settings
from insights.training.in_use import name_of, read_intent
from insights.training.plot import rows, svg
from insights.training.sessions import MOST_SESSIONS, read_examples
from insights.training.versions import store, use, versions_of
from insights.vocabulary.ids import ms_to_datetime

app = typer.Typer(help="Learn from the stored sessions.", no_args_is_help=True)


@app.command("intent")
def intent(
    project: ProjectName,
    days: Annotated[int, typer.Option(min=1, help="Sessions of the last so many days.")] = 90,
    most: Annotated[int, typer.Option(min=100, help="The latest so many sessions at most.")] = MOST_SESSIONS,
    plot: Annotated[
        Path | None, typer.Option(help="Write the calibration plot to this SVG file.", show_default=False)
    ] = None,
    json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Fit the intent scores to what came of stored sessions, and use them if they foretell later ones better.

    Example: [bold]whyleft train intent --project shop --plot calibration.svg[/bold]
    """
    with told():

        async def run(database: Database, settings: Settings) -> tuple[Trained, IntentModelVersion | None, str]:
            found = await project_named(database, project)
            now = datetime.now(UTC)
            with Progress(console=screen, transient=True) as bar:
                task = bar.add_task("Folding sessions again")
                examples = await read_examples(
                    database,
                    found.id,
                    since=now - timedelta(days=days),
                    most=most,
                    told=lambda done, of: bar.update(task, completed=done, total=of),
                )
                bar.update(task, description="Fitting", total=None)
                async with database.transaction(found.id) as tx:
                    before = await read_intent(tx, found.id)
                trained = train(examples, before)
            if not trained.judged:
                return trained, None, before.name
            through = ms_to_datetime(max(example.at_ms for example in examples))
            async with database.transaction(found.id) as tx:
                return trained, await store(tx, found.id, trained, before, through, now), before.name

        trained, stored, before = with_database(data_dir, run)
        if plot is not None and trained.judged:
            _write(plot, svg(trained.judged, before))
        if json:
            typer.echo(msgspec.json.encode(_document(trained, stored, before)).decode())
        else:
            _print(trained, stored, before)


@app.command("versions")
def versions(project: ProjectName, json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the stored versions, the newest first."""
    with told():

        async def run(database: Database, settings: Settings) -> list[dict[str, Any]]:
            found = await project_named(database, project)
            async with database.transaction(found.id) as tx:
                return [
                    {
                        "version": row.version,
                        "model": name_of(row.version),
                        "role": row.role,
                        "made_at": row.made_at.isoformat(),
                        "learned": row.model.get("learned", []),
                        "sessions": row.report.get("sessions"),
                    }
                    for row in await versions_of(tx, found.id)
                ]

        found = with_database(data_dir, run)
        if json:
            typer.echo(msgspec.json.encode({"versions": found}).decode())
            return
        for row in found:
            learned = ", ".join(row["learned"]) or "nothing"
            typer.echo(f"{row['model']}  {row['role']}  {row['made_at'][:16]}  learned: {learned}")
        if not found:
            typer.echo("None yet: visits are scored by the prior. `whyleft train intent` makes one.")


@app.command("use")
def use_version(
    version: Annotated[int, typer.Argument(min=0, help="A version of `whyleft train versions`; 0 is the prior.")],
    project: ProjectName,
    data_dir: DataDir = None,
) -> None:
    """Put a stored version in use, whatever it was judged: the way back."""
    with told():

        async def run(database: Database, settings: Settings) -> None:
            found = await project_named(database, project)
            async with database.transaction(found.id) as tx:
                await use(tx, found.id, version)

        with_database(data_dir, run)
        typer.echo(f"In use: {name_of(version) if version else 'the prior'}. Running processes follow within seconds.")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"{path} cannot be written ({error.strerror}): name another place with --plot.") from None


def _document(trained: Trained, stored: IntentModelVersion | None, before: str) -> dict[str, Any]:
    return {
        **report(trained),
        "before": before,
        "version": stored.version if stored is not None else None,
        "in_use": stored is not None and stored.role == "incumbent",
    }


def _print(trained: Trained, stored: IntentModelVersion | None, before: str) -> None:
    out = Console(highlight=False, markup=False, soft_wrap=True)
    out.print(f"{trained.rows:,} moments of {trained.sessions:,} sessions; judged by the latest quarter of them")
    for one in trained.judged:
        low, high = one.better[1:]
        out.print(f"\n{one.score}: {MEANING[one.score]} ({one.positives:,} of {one.sessions:,} judging sessions)")
        out.print(f"  AUC {_number(one.auc)}, {before} {_number(one.auc_before)}")
        out.print(
            f"  log loss {one.loss:.4f}, {before} {one.loss_before:.4f}; better by {one.better[0]:+.4f} "
            f"(95 %: {low:+.4f} to {high:+.4f})"
        )
        table = Table("events seen", "AUC", "moments")
        for first, last, value, count in one.by_seen:
            table.add_row(f"{first} to {last}" if last < 10_000 else f"{first} and more", _number(value), f"{count:,}")
        out.print(table)
        out.print(
            f"  calibration error {calibration_error(one.bins):.3f}, {before} {calibration_error(one.bins_before):.3f}"
        )
        for line in rows(one.bins):
            out.print(f"  {line}")
    for score, why in trained.untrained.items():
        out.print(f"\n{score} stays what it was: {why}.")
    out.print("\naffinity has no outcome to be fitted to: it is the share of looks and carts by category.")
    if stored is None:
        out.print("Nothing was stored: there is too little to learn from yet.")
    elif stored.role == "incumbent":
        won = ", ".join(one.score for one in trained.judged if one.wins)
        out.print(f"In use now: {name_of(stored.version)}, better than {before} at {won}. Processes follow in seconds.")
    else:
        out.print(f"Not in use: no score of {name_of(stored.version)} is better than {before} by more than chance.")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
