"""The uplift is found where it is, pooled away where nothing speaks for it, and counted as by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bench.uplift_model import best_pool, campaign, uplift
from insights.policies.sums import NotFinite


def test_who_is_moved_by_acting_is_told_from_who_would_have_bought_anyway() -> None:
    rng = np.random.default_rng(1)
    rows = rng.choice([0.0, 1.0], (20_000, 2))
    treated = (rng.uniform(size=20_000) < 0.3).astype(float)
    chance = 0.1 + 0.3 * rows[:, 0] + 0.2 * rows[:, 1] * treated
    outcomes = (rng.uniform(size=20_000) < chance).astype(float)
    found = uplift(rows, treated, outcomes)
    assert found.of(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])) == pytest.approx(
        [0.0, 0.0, 0.2, 0.2], abs=0.03
    )


def test_noise_is_pooled_away_and_a_difference_is_not() -> None:
    rng = np.random.default_rng(2)
    rows, treated = rng.normal(size=(4_000, 8)), (rng.uniform(size=4_000) < 0.5).astype(float)
    noise = rng.normal(size=4_000) + 0.1 * treated
    choices = (1.0, 100_000.0)
    assert best_pool(rows, treated, noise, choices, ridge=1.0) == 100_000.0
    assert best_pool(rows, treated, noise + treated * rows[:, 0], choices, ridge=1.0) == 1.0


def test_a_campaign_is_counted_by_hand() -> None:
    chosen = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    treated = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 0.0])
    outcomes = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 1.0])
    counted = campaign(chosen, treated, outcomes, worth=10.0, cost=0.15)
    assert (counted.people, counted.irr, counted.net) == (4, 0.5, pytest.approx(10 * (2 - 1) - 0.3))
    assert campaign(np.zeros(6), treated, outcomes, worth=10.0, cost=0.15).net == 0.0


def test_what_cannot_be_learned_from_is_refused() -> None:
    with pytest.raises(NotFinite):
        uplift(np.array([[np.nan]]), np.ones(1), np.ones(1))
    with pytest.raises(ValueError, match="some must be treated"):
        uplift(np.ones((2, 1)), np.ones(2), np.ones(2))
