"""How often a speaker that says 0.7 is right: a rising map per speaker and kind, fitted on gold, kept in a small file.

Below 200 answers the map is Platt's sigmoid (1999) with a prior: as if 20 more answers, spread evenly, had shown that
the speaker is right as often as it says. So a small sample without a mistake does not make certainty. From 200 on it
is isotonic regression (pool adjacent violators) with Laplace's correction in each block: isotonic regression overfits
small samples (Niculescu-Mizil and Caruana 2005). Both are stored as points, and read between them by straight lines.
Pure but for reading the file.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

import msgspec

from insights.errors import WhyleftError
from insights.vocabulary.reasons import Kind

SHIPPED: Final = Path(__file__).parent / "calibrations.json"
VERSION: Final = 1
FEWEST: Final = 20
"""Answers of a kind below which nothing can be fitted."""
ENOUGH_FOR_ISOTONIC: Final = 200
STEPS: Final = 20
PRIOR_ANSWERS: Final = 20
Method = Literal["platt", "isotonic"]


class CalibrationInvalid(WhyleftError):
    """A calibration file cannot be used, or there is too little to fit one on."""

    status = 400
    title = "The calibration cannot be used"


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One map of confidences. ``speaker`` is a classifier's name; ``points`` are [said, true], both rising."""

    speaker: str
    kind: Kind
    method: Method
    fitted_on: int
    points: tuple[tuple[float, float], ...]

    def __call__(self, said: float) -> float:
        """How often somebody who says ``said`` (0..1) is right (0..1)."""
        xs = [x for x, _ in self.points]
        place = bisect_right(xs, said)
        if place == 0:
            return self.points[0][1]
        if place == len(self.points):
            return self.points[-1][1]
        (x0, y0), (x1, y1) = self.points[place - 1], self.points[place]
        return y0 + (y1 - y0) * (said - x0) / (x1 - x0)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    calibrations: list[Calibration]


@dataclass(frozen=True, slots=True)
class Calibrations:
    """Every map that is known. A speaker without one is taken at its word."""

    maps: Mapping[tuple[str, Kind], Calibration] = field(default_factory=dict)

    def true(self, speaker: str, kind: Kind, said: float) -> float:
        """The confidence that ``said`` is worth."""
        found = self.maps.get((speaker, kind))
        return said if found is None else min(1.0, max(0.0, found(said)))

    def knows(self, speaker: str) -> bool:
        return any(name == speaker for name, _ in self.maps)

    def joined_by(self, others: Iterable[Calibration]) -> Calibrations:
        """These, and ``others`` in place of those of the same speaker and kind."""
        return Calibrations({**self.maps, **{(other.speaker, other.kind): other for other in others}})


UNCALIBRATED: Final = Calibrations()


@cache
def shipped_calibrations() -> Calibrations:
    """Those of the evidence rules, which come along."""
    return read_calibrations(SHIPPED)


def read_calibrations(path: Path) -> Calibrations:
    """The maps of a file. Raises CalibrationInvalid."""
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise CalibrationInvalid(f"{path} cannot be read ({error.strerror}).") from None
    except msgspec.MsgspecError as error:
        raise CalibrationInvalid(f"{path} is no calibration: {error}. `whyleft eval --calibrate` writes one.") from None
    if file.version != VERSION:
        raise CalibrationInvalid(f"{path} has version {file.version}, this Whyleft reads {VERSION}: fit it again.")
    for item in file.calibrations:
        if not _rises(item.points):
            raise CalibrationInvalid(f"{path}: the points of {item.speaker} ({item.kind}) do not rise from 0 to 1.")
    return UNCALIBRATED.joined_by(file.calibrations)


def as_file(calibrations: Calibrations) -> bytes:
    """A file that ``read_calibrations`` reads back."""
    maps = sorted(calibrations.maps.values(), key=lambda item: (item.speaker, item.kind))
    return msgspec.json.format(msgspec.json.encode(_File(VERSION, maps)), indent=1) + b"\n"


def fit(speaker: str, kind: Kind, answers: Sequence[tuple[float, bool]]) -> Calibration:
    """A map from (confidence said, whether it was right). Raises CalibrationInvalid below 20 answers."""
    if len(answers) < FEWEST:
        raise CalibrationInvalid(
            f"{len(answers)} answers about {kind} visits are too few to calibrate {speaker} on: {FEWEST} at least."
        )
    if len(answers) < ENOUGH_FOR_ISOTONIC:
        method: Method = "platt"
        a, b = _platt(answers)
        points = [(step / STEPS, _sigmoid(a * step / STEPS + b)) for step in range(STEPS + 1)]
    else:
        method, points = "isotonic", _isotonic(answers)
    rounded = tuple((round(x, 4), round(y, 4)) for x, y in points)
    return Calibration(speaker, kind, method, len(answers), rounded)


def _platt(answers: Sequence[tuple[float, bool]]) -> tuple[float, float]:
    """The slope (never falling) and offset that make the answers and the prior likeliest. Newton's method, damped."""
    prior = [((step + 0.5) / PRIOR_ANSWERS, (step + 0.5) / PRIOR_ANSWERS) for step in range(PRIOR_ANSWERS)]
    data = [*((said, float(is_right)) for said, is_right in answers), *prior]
    a, b = 1.0, 0.0
    for _ in range(100):
        # A small ridge keeps the slope finite where right and wrong do not overlap.
        ga, gb, haa, hab, hbb = 1e-3 * a, 0.0, 1e-3, 0.0, 1e-9
        for said, target in data:
            p = _sigmoid(a * said + b)
            slope = p * (1 - p)
            ga += (p - target) * said
            gb += p - target
            haa += slope * said * said
            hab += slope * said
            hbb += slope
        determinant = haa * hbb - hab * hab
        if determinant <= 1e-12:
            break
        da, db = (hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant
        largest = max(abs(da), abs(db))
        damp = min(1.0, 2.0 / largest) if largest else 0.0
        a, b = a - damp * da, b - damp * db
        if largest < 1e-9:
            break
    if a >= 0:
        return a, b
    mean = sum(target for _, target in data) / len(data)
    return 0.0, math.log(mean / (1 - mean))


def _isotonic(answers: Sequence[tuple[float, bool]]) -> list[tuple[float, float]]:
    """Pools adjacent violators; each block stands at its mean confidence with Laplace's (right + 1) / (n + 2)."""
    blocks: list[tuple[float, int, int]] = []  # sum of confidences, right, size
    for said, is_right in sorted(answers):
        blocks.append((said, int(is_right), 1))
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][2] >= blocks[-1][1] * blocks[-2][2]:
            last, before = blocks.pop(), blocks.pop()
            blocks.append((before[0] + last[0], before[1] + last[1], before[2] + last[2]))
    points: list[tuple[float, float]] = []
    for total, right, size in blocks:
        x, y = total / size, (right + 1) / (size + 2)
        if points and x - points[-1][0] < 1e-3:
            continue
        points.append((x, max(y, points[-1][1] if points else 0.0)))
    return points


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _rises(points: Sequence[tuple[float, float]]) -> bool:
    return (
        bool(points)
        and all(0 <= x <= 1 and 0 <= y <= 1 for x, y in points)
        and all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(points))
    )
