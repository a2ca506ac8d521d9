"""Buckets: how many requests a holder has, and who is remembered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insights.traffic.buckets import Buckets


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_let_through_then_the_rate_and_the_wait_is_told() -> None:
    clock = Clock()
    buckets = Buckets(10, 2, clock=clock)
    assert sum(buckets.take("a") == 0 for _ in range(30)) == 20
    assert buckets.take("a") == pytest.approx(0.1)
    assert buckets.take("b") == 0
    clock.now += 0.5
    assert sum(buckets.take("a") == 0 for _ in range(30)) == 5


def test_no_rate_is_no_limit_and_nobody_is_remembered() -> None:
    buckets = Buckets(0, 5)
    assert not any(buckets.take("a") for _ in range(10_000))
    assert len(buckets) == 0


def test_a_dear_request_takes_many_at_once_and_what_was_refused_costs_nothing() -> None:
    clock = Clock()
    buckets = Buckets(10, 1, clock=clock)
    assert buckets.take("a", 8) == 0
    assert buckets.take("a", 8) == pytest.approx(0.6)
    clock.now += 0.6
    assert buckets.take("a", 8) == 0


def test_strangers_are_forgotten_while_who_floods_is_not() -> None:
    clock = Clock()
    buckets = Buckets(1, 1, most=100, clock=clock)
    assert buckets.take("flood") == 0
    for number in range(10_000):
        buckets.take(f"stranger {number}")
        assert buckets.take("flood") > 0
    assert len(buckets) <= 202


@given(st.lists(st.floats(0, 3), max_size=200), st.floats(0.5, 50), st.floats(0.1, 5))
def test_over_any_time_no_more_get_through_than_the_burst_and_the_rate(
    gaps: list[float], rate: float, burst: float
) -> None:
    clock = Clock()
    buckets = Buckets(rate, burst, clock=clock)
    passed = 0
    for gap in gaps:
        clock.now += gap
        passed += buckets.take("a") == 0
    assert passed <= rate * (max(burst, 1 / rate) + sum(gaps)) + 1e-3
