"""Runs a classifier over gold stories and keeps what it said, who spoke, how long it took and what it used."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from adapters.llm.port import NOTHING_USED, Usage
from insights.classification.calibration import Calibration, CalibrationInvalid, fit
from insights.classification.classify import Classifier
from insights.classification.evidence import NAME as EVIDENCE
from insights.classification.pricing import Prices
from insights.evaluation.gold import GoldStory, Half
from insights.evaluation.scores import Answered, Scores, score
from insights.vocabulary.reasons import Kind, Reason, reasons_of

Speaker = Literal["model", "evidence", "fallback"]
PARALLEL: Final = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One story of a run. ``speaker``: fallback is the evidence standing in for a model, for the reason in ``why``."""

    story: str
    half: Half
    right: frozenset[Reason]
    said: Reason
    confidence: float
    speaker: Speaker
    why: str | None
    seconds: float
    usage: Usage

    @property
    def answered(self) -> Answered:
        return Answered(self.story, self.right, self.said, self.confidence)


@dataclass(frozen=True, slots=True)
class Run:
    """A classifier's answers to all stories, in the stories' order."""

    classifier: str
    lines: tuple[Line, ...]

    def of(self, speaker: Speaker, half: Half | None = None) -> list[Answered]:
        """Answers of one speaker: what the evidence said in a model's place is never counted as the model's."""
        return [line.answered for line in self.lines if line.speaker == speaker and half in (None, line.half)]

    @property
    def usage(self) -> Usage:
        return sum((line.usage for line in self.lines), NOTHING_USED)


async def run_over(
    classifier: Classifier,
    stories: Sequence[GoldStory],
    *,
    parallel: int = PARALLEL,
    told: Callable[[], None] = lambda: None,
) -> Run:
    """Has every story classified, at most ``parallel`` at a time; ``told`` is called after each."""
    places = asyncio.Semaphore(parallel)

    async def one(story: GoldStory) -> Line:
        async with places:
            started = time.perf_counter()
            said = await classifier.classify(story.timeline)
            seconds = time.perf_counter() - started
        told()
        speaker: Speaker = "fallback" if said.fallback else "evidence" if said.classifier == EVIDENCE else "model"
        verdict = said.verdict
        return Line(
            story.id,
            story.half,
            story.answers,
            verdict.reason,
            verdict.confidence,
            speaker,
            said.fallback,
            seconds,
            said.usage,
        )

    return Run(classifier.name, tuple(await asyncio.gather(*(one(story) for story in stories))))


def fitted(run: Run) -> list[Calibration]:
    """What the confidences of the run's own speaker are worth, fitted on the tuning half. Raises CalibrationInvalid.

    The run must have been made uncalibrated and with threshold 0. A kind with too few answers is left out, unless that
    leaves nothing.
    """
    own = [line for line in run.lines if line.speaker != "fallback" and line.half == "tuning"]
    found: list[Calibration] = []
    refusals: list[CalibrationInvalid] = []
    for kind in Kind:
        answers = [
            (line.confidence, line.answered.is_right)
            for line in own
            if line.said in reasons_of(kind) and line.confidence
        ]
        try:
            found.append(fit(run.classifier, kind, answers))
        except CalibrationInvalid as refusal:
            refusals.append(refusal)
    if not found:
        raise refusals[0]
    return found


def as_json(run: Run, prices: Prices) -> dict[str, Any]:
    """A run as one JSON object: scores per speaker and half, faults, latency, cost, and every line."""
    speakers: dict[str, Any] = {}
    for speaker in ("model", "evidence", "fallback"):
        if all_ := run.of(speaker):
            speakers[speaker] = {
                "all": _scores(score(all_)),
                **{half: _scores(score(some)) for half in ("tuning", "held-out") if (some := run.of(speaker, half))},
            }
    seconds = sorted(line.seconds for line in run.lines)
    usage = run.usage
    return {
        "classifier": run.classifier,
        "stories": len(run.lines),
        "speakers": speakers,
        "fallbacks": dict(Counter(line.why for line in run.lines if line.why)),
        "latency_ms": {
            "p50": round(seconds[len(seconds) // 2] * 1000, 2),
            "p95": round(seconds[min(len(seconds) - 1, int(len(seconds) * 0.95))] * 1000, 2),
        },
        "usage": msgspec.to_builtins(usage),
        "cost": None if prices.unknown else round(prices.cost(usage), 6),
        "lines": [
            {
                "story": line.story,
                "half": line.half,
                "right": sorted(line.right),
                "said": line.said.value,
                "confidence": line.confidence,
                "speaker": line.speaker,
                "why": line.why,
                "seconds": round(line.seconds, 4),
            }
            for line in run.lines
        ],
    }


def read_back(document: dict[str, Any]) -> Run:
    """The run that ``as_json`` wrote, for comparing. Raises KeyError, TypeError or ValueError when it is none."""
    lines = [
        Line(
            line["story"],
            line["half"],
            frozenset(Reason(reason) for reason in line["right"]),
            Reason(line["said"]),
            float(line["confidence"]),
            line["speaker"],
            line["why"],
            float(line["seconds"]),
            NOTHING_USED,
        )
        for line in document["lines"]
    ]
    return Run(document["classifier"], tuple(lines))


def _scores(scores: Scores) -> dict[str, Any]:
    return {
        "stories": scores.stories,
        "right": scores.right,
        "accuracy": round(scores.accuracy, 4),
        "interval": [round(bound, 4) for bound in scores.interval],
        "brier": round(scores.brier, 4),
        "ece": round(scores.ece, 4),
        "ece_floor": round(scores.ece_floor, 4),
        "reasons": {
            reason.value: {"precision": of.precision, "recall": of.recall, "stories": of.stories}
            for reason, of in scores.reasons.items()
        },
        "confusion": [
            {"right": right.value, "said": said.value, "stories": count}
            for (right, said), count in sorted(scores.confusion.items())
        ],
    }
