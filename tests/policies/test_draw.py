from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from insights.policies.draw import draw, uniform
from insights.policies.policy import CURIOUS, Explorer, Policy, Settings, mixed, say_of
from insights.policies.sums import Sums


def test_a_draw_belongs_to_its_decision_and_its_key() -> None:
    assert uniform(b"k", "decision", "7") == uniform(b"k", "decision", "7")
    assert len({uniform(b"k", "decision", "7"), uniform(b"j", "decision", "7"), uniform(b"k", "decision", "8")}) == 3
    assert uniform(b"k", "ab", "c") != uniform(b"k", "a", "bc")


def test_draws_come_as_often_as_their_probabilities_say() -> None:
    chances = [0.7, 0.05, 0.25]
    counts = [0, 0, 0]
    for n in range(20_000):
        counts[draw(chances, uniform(b"secret", str(n)))] += 1
    assert [count / 20_000 for count in counts] == pytest.approx(chances, abs=0.015)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8).filter(any), st.floats(0, 1, exclude_max=True))
def test_what_has_no_chance_is_never_drawn(weights: list[float], at: float) -> None:
    total = sum(weights)
    chances = [weight / total for weight in weights]
    assert chances[draw(chances, at)] > 0


def test_the_policy_has_little_say_while_it_knows_little_and_never_none() -> None:
    assert say_of(0) == CURIOUS
    assert say_of(1_000) == pytest.approx(0.5)
    assert say_of(100_000) > 0.98
    assert mixed(np.array([1.0, 0.0]), np.array([0.5, 0.5]), 0.1) == pytest.approx([0.95, 0.05])


@pytest.mark.parametrize("explorer", list(Explorer))
def test_only_eligible_arms_have_a_chance_and_the_better_ones_a_larger(explorer: Explorer) -> None:
    sums, rng = Sums.empty(4, 2), np.random.default_rng(6)
    for n in range(4_000):
        arm = n % 4
        sums.add(arm, np.array([1.0, rng.normal()]), arm * 0.5 + float(rng.normal()) * 0.1)
    policy = Policy.of(sums, Settings(explorer=explorer))
    chances = policy.probabilities(np.array([1.0, 0.0]), [0, 2])
    assert chances.sum() == pytest.approx(1.0)
    assert chances[1] > 0.99
    assert policy.terms(np.array([1.0, 0.0]), 2).sum() == pytest.approx(1.0, abs=0.02)
