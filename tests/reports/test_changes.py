"""What counts as a change: arithmetic on made-up months, no database."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import betabinom

from insights.reports.changes import (
    USUAL,
    Counts,
    change_point,
    find_changes,
    interval,
    is_back,
    look,
    overdispersion,
    predictive_p,
)
from insights.reports.confusion import corrected_mix


def months(
    cells: int = 6,
    rate: float = 20,
    changed_hours: int = 0,
    *,
    share: float = 0.12,
    now: float = 0.41,
    seed: int = 1,
    burst: float = 0.0,
) -> Counts:
    """Two reasons; the first has ``share``, and ``now`` in the last ``changed_hours`` of cell 0."""
    rng = np.random.default_rng(seed)
    hours = USUAL.hours
    sessions = rng.poisson(rate, size=(cells, hours)).astype(float)
    named = np.zeros((cells, 2, hours))
    for cell in range(cells):
        for hour in range(hours):
            p = now if cell == 0 and hour >= hours - changed_hours else share
            if burst:
                p = rng.beta(p * (1 / burst - 1), (1 - p) * (1 / burst - 1))
            named[cell, 0, hour] = rng.binomial(int(sessions[cell, hour]), p)
    named[:, 1] = sessions - named[:, 0]
    return Counts(sessions, named)


def test_a_share_that_rose_is_found_with_where_it_was_and_since_when() -> None:
    found = find_changes(months(changed_hours=14))
    assert [(one.cell, one.reason) for one in found] in ([(0, 0), (0, 1)], [(0, 1), (0, 0)])
    rise = next(one for one in found if one.reason == 0)
    assert rise.rises
    assert rise.before_low < 0.12 < rise.before_high
    assert rise.after_low < 0.41 < rise.after_high
    assert 11 <= rise.began <= 17


def test_a_change_must_stand_for_hours_before_it_counts() -> None:
    counts = months(changed_hours=5, rate=200, now=0.9)
    assert look(counts).stands_out[0, 0]
    first = months(changed_hours=2, rate=200, now=0.9)
    assert look(first).stands_out[0, 0] and find_changes(first) == []


def test_nothing_is_found_where_nothing_changed() -> None:
    assert [find_changes(months(seed=seed, cells=20, burst=0.05)) for seed in range(5)] == [[]] * 5


def test_few_sessions_and_small_changes_are_no_pattern() -> None:
    assert find_changes(months(changed_hours=20, rate=0.3)) == []
    assert find_changes(months(changed_hours=24, rate=400, now=0.17)) == []


def test_reasons_that_come_in_bursts_are_seen_to() -> None:
    even, bursty = months(rate=20), months(rate=20, burst=0.1)
    assert 1.0 <= overdispersion(even, USUAL.block).mean() < 1.25
    # 1 + (size of the hour - 1 + 1) · correlation
    assert overdispersion(bursty, USUAL.block).mean() == pytest.approx(1 + 20 * 0.1, rel=0.2)


def test_the_tails_are_those_of_the_beta_binomial() -> None:
    n, a, b, x = 40, 12.0, 88.0, 11
    expected = 2 * (betabinom.sf(x, n, a, b) + 0.5 * betabinom.pmf(x, n, a, b))
    got = predictive_p(np.array([x / n]), np.array([40.7]), np.array([a]), np.array([b]))
    assert got[0] == pytest.approx(expected)
    between = predictive_p(np.array([10.5 / n]), np.array([40.0]), np.array([a]), np.array([b]))[0]
    lower = predictive_p(np.array([10 / n]), np.array([40.0]), np.array([a]), np.array([b]))[0]
    assert got[0] < between < lower


def test_newer_sessions_count_more() -> None:
    hours = USUAL.hours
    sessions = np.full((1, hours), 10.0)
    named = np.zeros((1, 2, hours))
    named[0, 0, -3:] = 10
    seen = look(Counts(sessions, named))
    weights = 0.5 ** (np.arange(USUAL.recent) / USUAL.half_life)
    assert seen.now[0, 0] == pytest.approx(weights[:3].sum() / weights.sum())


def test_it_is_over_when_the_share_is_what_it_was() -> None:
    changed, back = months(changed_hours=14), months(changed_hours=0)
    assert not is_back(0.12, 3000, changed, 0, 0)
    assert is_back(0.12, 3000, back, 0, 0)


def test_the_hour_of_the_change_is_the_likeliest_one() -> None:
    named = np.concatenate([np.full(40, 1.0), np.full(9, 6.0)])
    assert change_point(np.full(49, 10.0), named, 0.1, 0.5) == 9


def test_an_interval_holds_its_share_at_the_edges() -> None:
    assert interval(0.0, 10)[0] == 0.0 and interval(1.0, 10)[1] == 1.0
    low, high = interval(0.3, 50)
    assert 0.18 < low < 0.3 < high < 0.45


def test_a_mix_is_corrected_for_what_is_confused() -> None:
    # Of those named A, a third is B; B is always named B.
    labels = np.array([[40.0, 0.0], [20.0, 60.0]])
    usual = np.array([0.5, 0.5])
    found = corrected_mix(np.array([0.5, 0.5]), 500, labels, usual)
    assert found is not None
    true, low, high = found
    assert true[0] == pytest.approx(1 / 3, abs=0.03) and true.sum() == pytest.approx(1)
    assert low[0] < 1 / 3 < high[0]
    assert high[0] - low[0] > 0.08, "the labels' own uncertainty is part of it"


def test_too_few_labels_correct_nothing() -> None:
    assert corrected_mix(np.array([0.5, 0.5]), 500, np.array([[20.0, 2.0], [1.0, 3.0]]), np.array([0.5, 0.5])) is None
