"""``whyleft replay``."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from insights.cli.trouble import screen, told
from insights.replay.batches import Plan, plan_replay
from insights.replay.client import ReplayStopped, Target
from insights.replay.formats import BrokenRow, Click, Format, read_clicks
from insights.replay.position import StateFile, Tally, default_state_path, replay_name
from insights.replay.stream import Result, Watch, stream

SHOWN_BROKEN_ROWS = 5


def replay(
    file: Annotated[Path, typer.Argument(help="The click log.", show_default=False)],
    format: Annotated[
        Format,
        typer.Option(
            help="yoochoose: tab-separated SessionId, ItemId, Time. rees46: its CSV with event_time to user_session. "
            "whyleft: JSON lines with visitor, session and event."
        ),
    ],
    url: Annotated[str, typer.Option(help="Address of the API.")] = "http://127.0.0.1:8321",
    write_key: Annotated[str, typer.Option(envvar="WHYLEFT_WRITE_KEY", help="The project's write key.")] = "",
    secret_key: Annotated[
        str, typer.Option(envvar="WHYLEFT_SECRET_KEY", help="A secret key of the same project: it closes the sessions.")
    ] = "",
    speed: Annotated[
        float,
        typer.Option(min=0, help="Event time over wall time, 1000 for a day in 86 seconds; 0: as fast as it goes."),
    ] = 0,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many clicks by event time.", show_default="all")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            help="Where to keep how far it came, for going on after a stop.", show_default="in .whyleft/replay"
        ),
    ] = None,
    give_up: Annotated[float, typer.Option(min=0, help="Seconds the API may be away before the replay stops.")] = 60,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Stream a recorded click log through the API, in event-time order, and close its sessions.

    Run it again after it was stopped: it goes on where it was. Nothing is stored twice.

    Example: [bold]whyleft replay clicks.txt --format yoochoose --write-key wl_w_… --secret-key wl_s_… --json[/bold]
    """
    with told():
        try:
            report = _replay(file, format, Target(url, write_key, secret_key, give_up), speed, limit, state)
        except ReplayStopped as stop:
            screen.print(f"whyleft: {stop}", style="red", markup=False, soft_wrap=True)
            raise typer.Exit(1) from None
        if json:
            typer.echo(msgspec.json.encode(report).decode())
        else:
            typer.echo(_sentence(report))


def _replay(
    file: Path, format: Format, target: Target, speed: float, limit: int | None, state: Path | None
) -> dict[str, Any]:
    for key, kind in ((target.write_key, "write"), (target.secret_key, "secret")):
        if not key:
            raise ReplayStopped(
                f"A {kind} key is needed: pass --{kind}-key or set WHYLEFT_{kind.upper()}_KEY; `whyleft keys create "
                f"--project NAME --kind {kind}` makes one."
            )
    try:
        clicks, broken = _read(file, format)
    except OSError as error:
        raise ReplayStopped(f"{file} cannot be read ({error.strerror}): pass the path of a click log.") from None
    if not clicks:
        what = f"none of its {broken} rows is one of the format" if broken else "it has no rows"
        raise ReplayStopped(f"{file} holds nothing to replay as {format}: {what}. Check the file and --format.")
    plan = plan_replay(clicks, format, limit)
    rows, clicks = len(clicks) + broken, []
    path = state or default_state_path(file, format)
    saved = StateFile(path, replay_name(file, format, target.url, target.write_key, limit))
    try:
        result = _watched(plan, target, speed, saved)
    except OSError as error:
        raise ReplayStopped(
            f"{path} cannot be used ({error.strerror}): name a writable place for the position with --state."
        ) from None
    return {
        "file": str(file),
        "format": format.value,
        "rows": rows,
        "broken_rows": broken,
        "distinct_events": plan.events,
        **{name: count for name, count in dataclasses.asdict(result.tally).items() if name != "closed"},
        "sessions": plan.sessions,
        "closed": result.tally.closed,
        "resumed_events": result.resumed_events,
        "seconds": round(result.seconds, 3),
    }


def _read(file: Path, format: Format) -> tuple[list[Click], int]:
    clicks: list[Click] = []
    broken = 0
    with screen.status(f"Reading {file.name} …"):
        for row in read_clicks(file, format):
            if isinstance(row, BrokenRow):
                broken += 1
                if broken <= SHOWN_BROKEN_ROWS:
                    screen.print(f"{file.name}:{row.line}: {row.problem}; skipped", markup=False, soft_wrap=True)
            else:
                clicks.append(row)
    if broken > SHOWN_BROKEN_ROWS:
        screen.print(f"{broken - SHOWN_BROKEN_ROWS} more rows cannot be read and were skipped.")
    return clicks, broken


def _watched(plan: Plan, target: Target, speed: float, state: StateFile) -> Result:
    """Streams with a progress bar on standard error, then says why events were refused."""
    refusals: Counter[str] = Counter()
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("events, {task.fields[closed]:,} closed, {task.fields[rate]:,.0f}/s"),
        TimeElapsedColumn(),
        console=screen,
        expand=True,
    )
    with bar:
        task = bar.add_task("Replaying", total=plan.events, closed=0, rate=0.0)
        before: list[int] = []

        def progress(tally: Tally) -> None:
            if not before:
                before.append(tally.events)
            elapsed = bar.tasks[task].elapsed or 0.0
            rate = (tally.events - before[0]) / elapsed if elapsed else 0.0
            bar.update(task, completed=tally.events, closed=tally.closed, rate=rate, description="Replaying")

        def away(_: str) -> None:
            bar.update(task, description="Waiting for the API")

        watch = Watch(progress=progress, refused=lambda why: refusals.update([why]), away=away)
        result = asyncio.run(stream(plan, target, speed=speed, state=state, watch=watch))
    for why, count in refusals.most_common(SHOWN_BROKEN_ROWS):
        screen.print(f"{count} refused: {why}", markup=False, soft_wrap=True)
    return result


def _sentence(report: dict[str, Any]) -> str:
    return (
        f"{report['distinct_events']} distinct events of {report['rows']} rows: {report['accepted']} stored, "
        f"{report['duplicates']} known before, {report['rejected']} refused, {report['broken_rows']} rows broken; "
        f"{report['closed']} of {report['sessions']} sessions closed in {report['seconds']:.1f} s."
    )
