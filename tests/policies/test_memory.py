from __future__ import annotations

import numpy as np
import pytest

from insights.policies.memory import FADES, Memory, unforeseen
from insights.policies.ridge import estimate
from insights.policies.sums import Sums


def bucket(weights: np.ndarray, rng: np.random.Generator, size: int = 200) -> Sums:
    sums = Sums.empty(*weights.shape)
    for _ in range(size):
        row = np.concatenate([[1.0], rng.normal(size=weights.shape[1] - 1)])
        arm = int(rng.integers(len(weights)))
        sums.add(arm, row, float(weights[arm] @ row + rng.normal()))
    return sums


def test_the_error_worked_out_from_sums_is_that_of_the_outcomes() -> None:
    rng = np.random.default_rng(3)
    found = estimate(bucket(rng.normal(size=(2, 3)), rng))
    sums, squared = Sums.empty(2, 3), 0.0
    for _ in range(30):
        row, arm, reward = rng.normal(size=3), int(rng.integers(2)), float(rng.normal())
        sums.add(arm, row, reward)
        squared += (reward - float(found.weights[arm] @ row)) ** 2
    assert unforeseen(sums, found) == pytest.approx(squared)


def test_a_world_that_stands_still_is_remembered_whole_and_one_that_changed_is_forgotten() -> None:
    rng = np.random.default_rng(4)
    before, after = rng.normal(size=(4, 8)), rng.normal(size=(4, 8))
    memory = Memory(4, 8, ridge=1.0, pool=4.0)
    for _ in range(25):
        memory.observe(bucket(before, rng))
    assert FADES[memory.chosen] >= 0.97
    for _ in range(4):
        memory.observe(bucket(after, rng))
    assert FADES[memory.chosen] == min(FADES)
    assert (
        np.abs(estimate(memory.best()).weights - after).mean() < np.abs(estimate(memory.sums[0]).weights - after).mean()
    )


def test_a_bucket_that_is_not_full_counts_without_being_remembered() -> None:
    rng = np.random.default_rng(5)
    memory = Memory(2, 3, ridge=1.0, pool=4.0)
    unfinished = bucket(rng.normal(size=(2, 3)), rng, size=7)
    assert memory.best(unfinished).n.sum() == 7
    assert memory.best().n.sum() == 0
