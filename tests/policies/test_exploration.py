from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from insights.policies.exploration import at_least, square_cb, thompson

REWARDS = arrays.arrays(np.float64, st.integers(1, 12), elements=st.floats(-1e3, 1e3))


@given(REWARDS, st.floats(0, 1e6))
def test_square_cb_gives_every_arm_a_chance_and_the_best_the_most(expected: np.ndarray, gamma: float) -> None:
    chances = square_cb(expected, gamma)
    assert chances.sum() == pytest.approx(1.0)
    assert (chances > 0).all()
    assert chances[expected.argmax()] == pytest.approx(chances.max())


def test_square_cb_falls_with_the_gap_as_in_the_paper() -> None:
    chances = square_cb(np.array([1.0, 0.5, 0.0]), gamma=10.0)
    assert chances[1] == pytest.approx(1 / (3 + 10 * 0.5))
    assert chances[2] == pytest.approx(1 / (3 + 10 * 1.0))


def test_square_cb_without_steepness_chooses_evenly() -> None:
    assert square_cb(np.array([5.0, 1.0, 3.0, 2.0]), gamma=0.0) == pytest.approx(np.full(4, 0.25))


def test_thompson_agrees_with_drawing_a_million_times() -> None:
    expected, deviation = np.array([0.1, 0.3, 0.25, -1.0]), np.array([0.2, 0.1, 0.4, 0.05])
    drawn = np.random.default_rng(5).normal(expected, deviation, size=(1_000_000, 4)).argmax(axis=1)
    counted = np.bincount(drawn, minlength=4) / 1_000_000
    assert thompson(expected, deviation) == pytest.approx(counted, abs=0.005)


@given(REWARDS)
def test_thompson_without_doubt_takes_a_best_arm_and_still_sums_to_one(expected: np.ndarray) -> None:
    chances = thompson(expected, np.zeros(len(expected)))
    assert np.isfinite(chances).all()
    assert chances.sum() == pytest.approx(1.0)
    assert chances[expected.max() - expected > 1e-3].sum() == pytest.approx(0.0, abs=1e-6)


@given(REWARDS, st.floats(0, 0.2))
def test_a_floor_holds_for_every_arm_and_keeps_the_sum(expected: np.ndarray, floor: float) -> None:
    chances = at_least(square_cb(expected, 1e5), floor)
    assert chances.sum() == pytest.approx(1.0)
    assert (chances >= min(floor, 1 / len(expected)) * 0.999).all()
