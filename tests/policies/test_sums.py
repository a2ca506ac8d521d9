from __future__ import annotations

import math

import numpy as np
import pytest

from insights.policies.policy import Policy, Settings
from insights.policies.ridge import estimate
from insights.policies.sums import NotFinite, Sums


def outcomes(count: int, arms: int = 3, features: int = 4, seed: int = 1) -> list[tuple[int, np.ndarray, float]]:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(arms, features))
    made = []
    for _ in range(count):
        row = np.concatenate([[1.0], rng.normal(size=features - 1)])
        arm = int(rng.integers(arms))
        made.append((arm, row, float(weights[arm] @ row + rng.normal() * 0.1)))
    return made


def summed(some: list[tuple[int, np.ndarray, float]]) -> Sums:
    sums = Sums.empty(3, 4)
    for arm, row, reward in some:
        sums.add(arm, row, reward)
    return sums


def test_workers_sums_merge_to_what_one_would_have_summed() -> None:
    all_of_them = outcomes(400)
    merged = Sums.empty(3, 4)
    for worker in range(4):
        merged.merge(summed(all_of_them[worker::4]))
    row = np.array([1.0, 0.3, -2.0, 0.5])
    one, four = (Policy.of(sums, Settings()).probabilities(row, [0, 1, 2]) for sums in (summed(all_of_them), merged))
    assert np.abs(one - four).max() <= 1e-9


def test_sums_travel_as_bytes_and_find_room_for_arms_that_came_up_since() -> None:
    sums = summed(outcomes(50))
    again = Sums.of_bytes(4, 4, sums.to_bytes())
    assert np.array_equal(again.xx[:3], sums.xx)
    assert np.array_equal(again.xr[:3], sums.xr)
    assert np.array_equal(again.rr[:3], sums.rr)
    assert np.array_equal(again.n, [*sums.n, 0.0])
    assert not again.xx[3].any()


@pytest.mark.parametrize(("arms", "features"), [(3, 5), (2, 4)])
def test_bytes_of_other_features_or_of_more_arms_are_refused(arms: int, features: int) -> None:
    with pytest.raises(ValueError, match="not the sums of"):
        Sums.of_bytes(arms, features, Sums.empty(3, 4).to_bytes())


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_never_gets_in(bad: float) -> None:
    sums = summed(outcomes(10))
    before = sums.xx.copy()
    for row, reward, weight in (([1.0, bad, 0, 0], 1.0, 1.0), ([1.0, 0, 0, 0], bad, 1.0), ([1.0, 0, 0, 0], 1.0, bad)):
        with pytest.raises(NotFinite):
            sums.add(0, np.array(row), reward, weight)
    assert np.array_equal(sums.xx, before)


def test_taking_an_outcome_back_leaves_what_was_there() -> None:
    sums, whole = summed(outcomes(20)), summed(outcomes(20))
    arm, row, reward = outcomes(1, seed=9)[0]
    whole.add(arm, row, reward)
    whole.add(arm, row, reward, weight=-1.0)
    assert np.allclose(whole.xx, sums.xx, atol=1e-12)
    assert np.allclose(whole.n, sums.n)


def test_with_many_outcomes_the_estimate_is_the_truth() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(3, 4))
    found = estimate(summed(outcomes(20_000)))
    assert found.weights == pytest.approx(truth, abs=0.02)
    assert found.noise == pytest.approx(np.full(3, 0.01), rel=0.1)


def test_an_arm_nobody_tried_is_believed_to_be_like_the_others() -> None:
    sums = Sums.empty(3, 2)
    rng = np.random.default_rng(2)
    for n in range(2_000):
        row = np.array([1.0, rng.normal()])
        sums.add(n % 2, row, 2.0 * row[1] + 0.5 + rng.normal() * 0.1)
    found = estimate(sums)
    assert found.weights[2] == pytest.approx([0.5, 2.0], abs=0.05)
    row = np.array([1.0, 1.0])
    assert found.deviation(row)[2] > 10 * found.deviation(row)[0]
