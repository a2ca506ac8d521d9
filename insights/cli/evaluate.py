"""``whyleft eval``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from adapters.llm.openai_client import OpenAiModel
from insights import logs
from insights.classification.calibration import UNCALIBRATED, CalibrationInvalid, Calibrations, as_file
from insights.classification.classify import Classifier
from insights.classification.pricing import Prices
from insights.cli.options import AsJson
from insights.cli.trouble import screen, told
from insights.evaluation.gold import GoldInvalid, GoldStory, read_stories, shipped_stories
from insights.evaluation.run import PARALLEL, Run, Speaker, as_json, fitted, read_back, run_over
from insights.evaluation.scores import compare, score
from insights.settings import Settings
from insights.wiring.classifiers import known_calibrations

TITLES: dict[Speaker, str] = {
    "model": "model",
    "evidence": "evidence",
    "fallback": "evidence in the model's place (no figure of the model)",
}


def evaluate(
    base_url: Annotated[str, typer.Option(help="OpenAI-compatible endpoint; without it the evidence rules run.")] = "",
    model: Annotated[str, typer.Option(help="Model to ask there.")] = "",
    gold: Annotated[
        Path | None, typer.Option(help="Your own gold file.", show_default="the stories that come along")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="A result of --json to compare with, by McNemar's test.", show_default=False)
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(help="Fit confidence on the tuning half and write it to this file.", show_default=False),
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=64, help="Questions at a time.")] = PARALLEL,
    json: AsJson = False,
) -> None:
    """Measure who names the reasons: a model of yours, or the evidence rules.

    Example: [bold]whyleft eval --base-url http://127.0.0.1:11434/v1 --model qwen3 --json > mine.json[/bold]
    """
    with told():
        settings = Settings.from_environment()
        logs.configure(settings)
        stories = read_stories(gold) if gold else shipped_stories()
        prices = Prices(settings.llm_price_in, settings.llm_price_out)
        before = _before(against) if against else None
        known = known_calibrations(settings)
        if calibrate:
            raw = asyncio.run(
                _run(replace(settings, confidence_threshold=0.0), base_url, model, stories, parallel, None)
            )
            known = known.joined_by(fitted(raw))
            _write(calibrate, known)
        run = asyncio.run(_run(settings, base_url, model, stories, parallel, known))
        if json:
            typer.echo(msgspec.json.encode(_document(run, prices, before)).decode())
        else:
            _print(run, prices, before)


async def _run(
    settings: Settings,
    base_url: str,
    model: str,
    stories: Sequence[GoldStory],
    parallel: int,
    calibrations: Calibrations | None,
) -> Run:
    speaker = None
    if base_url or model:
        speaker = OpenAiModel(
            base_url=base_url or settings.llm_base_url,
            api_key=settings.llm_api_key,
            model=model or settings.llm_model,
        )
    classifier = Classifier(
        speaker,
        threshold=settings.confidence_threshold,
        deadline=timedelta(seconds=settings.llm_deadline_seconds),
        calibrations=calibrations or UNCALIBRATED,
    )
    try:
        with Progress(console=screen, transient=True) as bar:
            task = bar.add_task(f"Asking {classifier.name}", total=len(stories))
            return await run_over(classifier, stories, parallel=parallel, told=lambda: bar.advance(task))
    finally:
        if speaker is not None:
            await speaker.close()


def _write(path: Path, calibrations: Calibrations) -> None:
    try:
        path.write_bytes(as_file(calibrations))
    except OSError as error:
        raise CalibrationInvalid(f"{path} cannot be written ({error.strerror}): name another file.") from None


def _before(path: Path) -> Run:
    try:
        return read_back(msgspec.json.decode(path.read_bytes()))
    except OSError as error:
        raise GoldInvalid(
            f"{path} cannot be read ({error.strerror}): pass a file made by `whyleft eval --json`."
        ) from None
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError):
        raise GoldInvalid(f"{path} is no result of `whyleft eval --json`: pass one.") from None


def _own(run: Run) -> Speaker:
    return "evidence" if run.of("evidence") else "model"


def _document(run: Run, prices: Prices, before: Run | None) -> dict[str, Any]:
    document = as_json(run, prices)
    if before is not None:
        found = compare(before.of(_own(before)), run.of(_own(run)))
        document["comparison"] = {"with": before.classifier, **msgspec.to_builtins(found)}
    return document


def _print(run: Run, prices: Prices, before: Run | None) -> None:
    out = Console(highlight=False, markup=False)
    for speaker in ("model", "evidence", "fallback"):
        answers = run.of(speaker)
        if not answers:
            if speaker == "model" and run.classifier.startswith("llm:"):
                out.print("model: it gave no usable answer, so there is nothing to say of it.")
            continue
        every = score(answers)
        low, high = every.interval
        out.print(f"\n{TITLES[speaker]} · {run.classifier}" if speaker != "fallback" else f"\n{TITLES[speaker]}")
        out.print(f"  accuracy {every.accuracy:.3f}  ({every.right} of {every.stories}; 95 %: {low:.2f} to {high:.2f})")
        for half in ("tuning", "held-out"):
            if some := run.of(speaker, half):
                part = score(some)
                out.print(f"  {half:9} {part.accuracy:.3f}  ({part.right} of {part.stories})")
        out.print(f"  Brier {every.brier:.3f}   ECE {every.ece:.3f} (sampling floor {every.ece_floor:.3f})")
        table = Table("reason", "precision", "recall", "stories")
        for reason, of in every.reasons.items():
            table.add_row(reason.value, _share(of.precision), _share(of.recall), str(of.stories))
        out.print(table)
        wrong = {pair: count for pair, count in every.confusion.items() if pair[0] is not pair[1]}
        for (right, said), count in sorted(wrong.items(), key=lambda item: -item[1]):
            out.print(f"  {count} × {right.value} called {said.value}")
    for why, count in as_json(run, prices)["fallbacks"].items():
        out.print(f"fallback {why}: {count}")
    latency, usage = as_json(run, prices)["latency_ms"], run.usage
    out.print(f"\nlatency p50 {latency['p50']:,.1f} ms, p95 {latency['p95']:,.1f} ms")
    if usage.calls:
        cost = "not known: set WHYLEFT_LLM_PRICE_IN and _OUT" if prices.unknown else f"{prices.cost(usage):.4f}"
        out.print(f"{usage.calls} calls, {usage.tokens_in:,} tokens in, {usage.tokens_out:,} out; cost {cost}")
    if before is not None:
        found = compare(before.of(_own(before)), run.of(_own(run)))
        out.print(
            f"against {before.classifier}: of {found.stories} stories answered by both, {found.only_first} were right "
            f"only there, {found.only_second} only here; McNemar "
            f"{'p < 0.001' if found.p_value < 0.001 else f'p = {found.p_value:.3f}'}"
        )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
