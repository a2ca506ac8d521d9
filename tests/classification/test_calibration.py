"""Confidence that can be believed: fitted maps, their file, and the rules' own."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insights.classification.calibration import (
    UNCALIBRATED,
    CalibrationInvalid,
    Calibrations,
    as_file,
    fit,
    read_calibrations,
    shipped_calibrations,
)
from insights.classification.evidence import NAME, classify_by_evidence
from insights.evaluation.gold import shipped_stories
from insights.evaluation.scores import Answered, score
from insights.vocabulary.reasons import Kind


def boaster(count: int, seed: int = 1) -> list[tuple[float, bool]]:
    """Says 0.5 to 1, and is right 0.3 less often than it says."""
    chance = random.Random(seed)
    said = [chance.uniform(0.5, 1.0) for _ in range(count)]
    return [(value, chance.random() < value - 0.3) for value in said]


@pytest.mark.parametrize(("count", "method", "near"), [(150, "platt", 0.15), (4_000, "isotonic", 0.05)])
def test_a_boasters_confidence_comes_down_to_what_it_is_worth(count: int, method: str, near: float) -> None:
    found = fit("m", Kind.ABANDONED, boaster(count))
    assert found.method == method
    for said in (0.6, 0.75, 0.9):
        assert found(said) == pytest.approx(said - 0.3, abs=near)


def test_a_handful_of_answers_without_a_mistake_makes_nobody_certain() -> None:
    found = fit("m", Kind.CONVERTED, [(0.5, True)] * 30)
    assert 0.6 < found(0.5) < 0.95


def test_below_twenty_answers_nothing_is_fitted() -> None:
    with pytest.raises(CalibrationInvalid, match="too few"):
        fit("m", Kind.ABANDONED, boaster(19))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=20, max_size=400))
@settings(max_examples=60, deadline=None)
def test_whatever_it_is_fitted_on_a_map_rises_and_stays_a_probability(answers: list[tuple[float, bool]]) -> None:
    found = fit("m", Kind.ABANDONED, answers)
    values = [found(step / 50) for step in range(51)]
    assert all(0 <= value <= 1 for value in values)
    assert values == sorted(values)


def test_a_file_reads_back_and_a_speaker_without_a_map_is_taken_at_its_word(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(as_file(UNCALIBRATED.joined_by([fit("m", Kind.ABANDONED, boaster(150))])))
    known = read_calibrations(path)
    assert known.true("m", Kind.ABANDONED, 0.9) < 0.75
    assert known.true("m", Kind.CONVERTED, 0.9) == 0.9
    assert known.true("somebody else", Kind.ABANDONED, 0.9) == 0.9


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("nonsense", "is no calibration"),
        ('{"version": 7, "calibrations": []}', "version 7"),
        (
            '{"version": 1, "calibrations": [{"speaker": "m", "kind": "abandoned", "method": "platt", "fitted_on": 9,'
            ' "points": [[0, 0.9], [1, 0.1]]}]}',
            "do not rise",
        ),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str, advice: str) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(CalibrationInvalid, match=advice):
        read_calibrations(tmp_path / "c.json")


def test_the_rules_come_with_a_map_of_their_own_version() -> None:
    assert shipped_calibrations().knows(NAME)


def test_on_stories_that_it_was_not_fitted_on_the_rules_confidence_is_closer_to_the_truth_than_their_score() -> None:
    def brier(calibrations: Calibrations) -> float:
        answers = [
            Answered(story.id, story.answers, said.reason, said.confidence)
            for story in shipped_stories()
            if story.half == "held-out"
            for said in [classify_by_evidence(story.timeline, threshold=0.5, calibrations=calibrations)]
        ]
        return score(answers).brier

    assert brier(shipped_calibrations()) < 0.5 * brier(UNCALIBRATED)
