"""Off-policy estimates against the truth of a made world."""

from __future__ import annotations

import numpy as np
import pytest

from insights.policies.evaluation import Logged, doubly_robust, expected_of_others, ips, snipw

ARMS, FEATURES = 3, 4


def world(n: int, seed: int) -> tuple[Logged, np.ndarray, float]:
    """Decisions of an uneven logger, another policy's chances, and what that one would truly have earned."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([np.ones((n, 1)), rng.normal(size=(n, FEATURES - 1))], axis=1)
    means = rows @ rng.normal(size=(FEATURES, ARMS)) * 0.3
    logging = rng.dirichlet([2.0, 2.0, 2.0], size=n)
    arms = np.array([rng.choice(ARMS, p=row) for row in logging])
    index = np.arange(n)
    rewards = means[index, arms] + rng.normal(size=n) * 0.5
    other = np.full((n, ARMS), 0.1)
    other[index, means.argmax(axis=1)] = 0.8
    logged = Logged(rows, arms, logging[index, arms], rewards, np.ones((n, ARMS), dtype=bool))
    return logged, other, float((other * means).sum(axis=1).mean())


@pytest.mark.parametrize("seed", range(5))
def test_all_three_find_the_truth_and_the_doubly_robust_knows_it_best(seed: int) -> None:
    logged, other, truth = world(20_000, seed)
    robust = doubly_robust(logged, other, expected_of_others(logged, ARMS))
    for found in (ips(logged, other), snipw(logged, other), robust):
        assert found.low - 0.02 <= truth <= found.high + 0.02
    assert robust.high - robust.low <= snipw(logged, other).high - snipw(logged, other).low
    assert robust.bears


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held = {"dr": 0, "snipw": 0, "ips": 0}
    for seed in range(200):
        logged, other, truth = world(600, 1_000 + seed)
        for found in (
            doubly_robust(logged, other, expected_of_others(logged, ARMS)),
            snipw(logged, other),
            ips(logged, other),
        ):
            held[found.method] += found.low <= truth <= found.high
    for method, times in held.items():
        assert 178 <= times <= 200, method


def test_decisions_that_earned_the_same_order_are_not_taken_for_so_many_people() -> None:
    visits, each = 150, 4
    n = visits * each
    whose = np.repeat(np.arange(visits), each)
    held = {"dr": 0, "snipw": 0, "ips": 0}
    for seed in range(200):
        rng = np.random.default_rng(3_000 + seed)
        arms = rng.integers(ARMS, size=n)
        effects = np.array([0.0, 0.4, 0.8])
        # What a visit earns is the same for each of its decisions, and the mean of what they do.
        earned = rng.normal(size=visits) + effects[arms].reshape(visits, each).mean(axis=1)
        every = np.ones((n, ARMS), dtype=bool)
        logged = Logged(np.ones((n, 1)), arms, np.full(n, 1 / ARMS), np.repeat(earned, each), every, whose)
        always_last = np.zeros((n, ARMS))
        always_last[:, 2] = 1.0
        truth = (effects[2] + (each - 1) * effects.mean()) / each
        for found in (
            doubly_robust(logged, always_last, expected_of_others(logged, ARMS)),
            snipw(logged, always_last),
            ips(logged, always_last),
        ):
            held[found.method] += found.low <= truth <= found.high
            assert found.effective <= visits
    for method, times in held.items():
        assert 180 <= times <= 200, (method, times)


def test_a_policy_like_the_logger_counts_every_decision() -> None:
    logged, _, _ = world(500, 3)
    even = Logged(logged.rows, logged.arms, np.full(500, 1 / 3), logged.rewards, logged.open)
    found = snipw(even, np.full((500, ARMS), 1 / 3))
    assert found.effective == pytest.approx(500)
    assert found.value == pytest.approx(float(logged.rewards.mean()))


def test_tiny_chances_leave_too_little_to_rank_by() -> None:
    logged, other, _ = world(2_000, 4)
    rare = Logged(
        logged.rows, logged.arms, np.where(logged.arms == 0, 1e-4, logged.chances), logged.rewards, logged.open
    )
    assert not ips(rare, other).bears


def test_nothing_logged_estimates_nothing_and_does_not_fail() -> None:
    empty = Logged(np.zeros((0, 2)), np.zeros(0, dtype=int), np.zeros(0), np.zeros(0), np.zeros((0, 2), dtype=bool))
    for found in (ips(empty, np.zeros((0, 2))), snipw(empty, np.zeros((0, 2)))):
        assert found.n == 0
        assert not found.bears
