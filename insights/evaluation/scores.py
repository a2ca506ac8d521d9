"""Scores a run over gold: accuracy, each reason's precision and recall, confusion, calibration; compares two. Pure.

Sources: Wilson's score interval (1927); Brier's score (1950) of the event "the named reason is right"; expected
calibration error over equal-width bins (Naeini et al. 2015) with the error that a perfectly calibrated classifier would
show on as few stories (its sampling floor, by simulation); McNemar's exact test (1947) on the discordant pairs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import binomtest

from insights.vocabulary.reasons import Reason

BINS: Final = 10
SIMULATIONS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Answered:
    """One story with what was said of it. ``confidence`` is 0..1, that the reason named is right."""

    story: str
    right: frozenset[Reason]
    said: Reason
    confidence: float

    @property
    def is_right(self) -> bool:
        return self.said in self.right

    @property
    def expected(self) -> Reason:
        """The answer it counts under: the one given where it is acceptable, else the first acceptable one."""
        return self.said if self.is_right else min(self.right)


@dataclass(frozen=True, slots=True)
class ReasonScore:
    """``precision``: of those named so, how many are; ``recall``: of those that are, how many were named so."""

    precision: float | None
    recall: float | None
    stories: int


@dataclass(frozen=True, slots=True)
class Scores:
    """What one speaker's answers are worth. ``interval`` is the 95 % interval of the accuracy.

    ``ece_floor`` is the mean expected calibration error of a perfectly calibrated speaker on as many stories: an
    ``ece`` near it cannot be told from perfect.
    """

    stories: int
    right: int
    accuracy: float
    interval: tuple[float, float]
    reasons: Mapping[Reason, ReasonScore]
    confusion: Mapping[tuple[Reason, Reason], int]
    brier: float
    ece: float
    ece_floor: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs over the same stories: how many only one of them had right, and how likely that is by chance."""

    stories: int
    only_first: int
    only_second: int
    p_value: float


def score(answers: Sequence[Answered]) -> Scores:
    """Scores at least one answer. Raises ValueError when there is none."""
    if not answers:
        raise ValueError("there are no answers to score")
    right = sum(answer.is_right for answer in answers)
    confidence = np.array([answer.confidence for answer in answers])
    correct = np.array([answer.is_right for answer in answers], dtype=float)
    return Scores(
        stories=len(answers),
        right=right,
        accuracy=right / len(answers),
        interval=wilson(right, len(answers)),
        reasons={reason: _reason_score(reason, answers) for reason in Reason if _concerns(reason, answers)},
        confusion=Counter((answer.expected, answer.said) for answer in answers),
        brier=float(np.mean((confidence - correct) ** 2)),
        ece=expected_calibration_error(confidence, correct),
        ece_floor=sampling_floor(confidence),
    )


def compare(first: Sequence[Answered], second: Sequence[Answered]) -> Comparison:
    """Whether two runs differ by more than chance, over the stories that both answered. McNemar, exact, two-sided."""
    others = {answer.story: answer.is_right for answer in second}
    pairs = [(answer.is_right, others[answer.story]) for answer in first if answer.story in others]
    only_first = sum(a and not b for a, b in pairs)
    only_second = sum(b and not a for a, b in pairs)
    discordant = only_first + only_second
    p_value = float(binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0
    return Comparison(len(pairs), only_first, only_second, p_value)


def wilson(right: int, of: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % score interval of a share; (0, 1) of nothing."""
    if of == 0:
        return 0.0, 1.0
    share = right / of
    centre = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(0.0, centre - half), min(1.0, centre + half)


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Σ over ten equal-width bins of (share of the answers in it) × |mean confidence − share that is right|."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    weights = np.bincount(bins, minlength=BINS)
    gaps = np.abs(np.bincount(bins, confidence, BINS) - np.bincount(bins, correct, BINS))
    return float(gaps.sum() / weights.sum())


def sampling_floor(confidence: np.ndarray) -> float:
    """The mean error of answers that are right exactly as often as they claim, over 2,000 draws with a fixed seed."""
    draws = np.random.default_rng(0).random((SIMULATIONS, len(confidence))) < confidence
    return float(np.mean([expected_calibration_error(confidence, draw.astype(float)) for draw in draws]))


def _concerns(reason: Reason, answers: Sequence[Answered]) -> bool:
    return any(reason in answer.right or answer.said is reason for answer in answers)


def _reason_score(reason: Reason, answers: Sequence[Answered]) -> ReasonScore:
    named = [answer for answer in answers if answer.said is reason]
    # A story with two acceptable answers asks for either: one that got the other is no miss of this one.
    wanted = [answer for answer in answers if answer.expected is reason or answer.right == {reason}]
    return ReasonScore(
        precision=sum(answer.is_right for answer in named) / len(named) if named else None,
        recall=sum(answer.said is reason for answer in wanted) / len(wanted) if wanted else None,
        stories=len(wanted),
    )
