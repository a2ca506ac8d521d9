"""The arithmetic of an evaluation, on numbers that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from insights.evaluation.scores import (
    Answered,
    compare,
    expected_calibration_error,
    sampling_floor,
    score,
    wilson,
)
from insights.vocabulary.reasons import Reason

R = Reason


def said(story: str, right: set[Reason], answer: Reason, confidence: float = 0.8) -> Answered:
    return Answered(story, frozenset(right), answer, confidence)


def test_precision_and_recall_count_a_fair_second_answer_as_right() -> None:
    scores = score(
        [
            said("1", {R.UX_FRICTION}, R.UX_FRICTION),
            said("2", {R.UX_FRICTION}, R.UNCLEAR),
            said("3", {R.UX_FRICTION, R.TECHNICAL_ERROR}, R.TECHNICAL_ERROR),
            said("4", {R.DISTRACTION}, R.UX_FRICTION),
        ]
    )
    assert (scores.right, scores.stories, scores.accuracy) == (2, 4, 0.5)
    ux, technical = scores.reasons[R.UX_FRICTION], scores.reasons[R.TECHNICAL_ERROR]
    assert (ux.precision, ux.recall) == (0.5, 0.5)
    assert (technical.precision, technical.recall) == (1.0, 1.0)
    assert scores.reasons[R.UNCLEAR].recall is None
    assert scores.confusion[R.DISTRACTION, R.UX_FRICTION] == 1


def test_brier_and_calibration_error_on_numbers_checked_by_hand() -> None:
    scores = score([said("1", {R.UNCLEAR}, R.UNCLEAR, 0.9), said("2", {R.UNCLEAR}, R.DISTRACTION, 0.6)])
    assert scores.brier == pytest.approx((0.01 + 0.36) / 2)
    assert scores.ece == pytest.approx((0.1 + 0.6) / 2)


def test_the_floor_of_the_calibration_error_shrinks_with_more_stories() -> None:
    few, many = sampling_floor(np.full(20, 0.7)), sampling_floor(np.full(2_000, 0.7))
    assert 0.05 < few < 0.12
    assert many < 0.012
    # Mean absolute deviation of a share: √(2 p q / π n).
    assert few == pytest.approx((2 * 0.7 * 0.3 / (np.pi * 20)) ** 0.5, abs=0.01)


def test_a_confidence_of_one_falls_into_the_last_bin() -> None:
    assert expected_calibration_error(np.array([1.0, 1.0]), np.array([1.0, 0.0])) == pytest.approx(0.5)


def test_mcnemar_looks_only_at_the_stories_where_the_two_differ() -> None:
    first = [said(str(n), {R.UNCLEAR}, R.UNCLEAR if n < 12 else R.DISTRACTION) for n in range(20)]
    second = [said(str(n), {R.UNCLEAR}, R.UNCLEAR if n < 2 or n > 18 else R.DISTRACTION) for n in range(20)]
    found = compare(first, [*second, said("only here", {R.UNCLEAR}, R.UNCLEAR)])
    assert (found.stories, found.only_first, found.only_second) == (20, 10, 1)
    assert found.p_value == pytest.approx(24 / 2048)  # 2 · (C(11,0) + C(11,1)) / 2¹¹
    assert compare(first, first).p_value == 1.0


def test_wilsons_interval_is_the_one_in_the_books() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_no_answers_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="no answers"):
        score([])
