"""The figures against known truth: cover at every look, what adjusting gains, alarms, false discoveries, planning."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from insights.lift.adjustment import terms_of
from insights.lift.balance import ALARM, balance
from insights.lift.comparison import LEAST_HITS, LEAST_PEOPLE, compare, hits_worth
from insights.lift.power import people_needed
from insights.lift.report import RATE
from insights.lift.sample import Sample
from insights.lift.sequences import ALPHA, always_valid_p, log_evidence, reach
from insights.reports.discoveries import adjusted
from tests.lift.crowds import sample

DAYS, A_DAY, WORLDS = 40, 200, 150


def test_who_looks_daily_is_misled_as_rarely_as_promised_and_with_a_fixed_interval_far_more_often() -> None:
    misled, misled_fixed = 0, 0
    for seed in range(WORLDS):
        world = sample(DAYS * A_DAY, seed=seed, held=0.3)
        looks = [found for day in range(1, DAYS + 1) if (found := compare(world.first(day * A_DAY))) is not None]
        misled += any(look.difference.above_zero or look.difference.below_zero for look in looks)
        fixed = (abs(look.difference.value) > 1.96 * look.spread / math.sqrt(look.people) for look in looks)
        misled_fixed += any(fixed)
    # Three standard errors of a rate of 5 % in so many worlds.
    assert misled / WORLDS <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / WORLDS)
    assert misled_fixed / WORLDS > 2 * ALPHA


@pytest.mark.parametrize("lift", [-0.3, 0.0, 0.4])
def test_the_truth_lies_inside_of_both_intervals_at_every_look(lift: float) -> None:
    outside = 0
    for seed in range(60):
        world = sample(8_000, seed=1_000 + seed, rate=0.1, held=0.3, lift=lift, told=0.3)
        for day in range(4, 41, 4):
            found = compare(world.first(day * 200))
            if found is None or found.ratio is None:
                continue
            in_difference = found.difference.low <= 0.1 * lift <= found.difference.high  # type: ignore[operator]
            low, high = found.ratio.low, found.ratio.high
            in_ratio = low is None or high is None or low <= lift <= high
            if not (in_difference and in_ratio):
                outside += 1
                break
    assert outside <= 8


def test_a_real_lift_is_found_and_said_with_its_size() -> None:
    found = compare(sample(40_000, seed=5, rate=0.1, held=0.3, lift=0.3))
    assert found is not None
    assert found.difference.above_zero
    assert found.difference.value == pytest.approx(0.03, abs=0.01)
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(0.3, abs=0.1)
    assert found.p < 0.01


def test_what_was_known_before_narrows_the_interval_and_moves_nothing() -> None:
    world = sample(20_000, seed=3, rate=0.2, held=0.4, told=0.8)
    blind = Sample(world.treated, world.outcome, np.zeros((world.people, 1)))
    with_known, without = compare(world), compare(blind)
    assert with_known is not None and without is not None
    assert with_known.spread < 0.97 * without.spread
    assert with_known.explained > 0.05
    assert without.explained == 0.0
    assert with_known.difference.value == pytest.approx(without.difference.value, abs=0.01)


def test_adjusting_takes_out_a_chance_imbalance() -> None:
    rng = np.random.default_rng(1)
    treated = np.arange(2_000) % 2 == 0
    spent = rng.normal(size=2_000) + np.where(treated, 0.5, 0.0)
    outcome = 3.0 * spent
    raw = outcome[treated].mean() - outcome[~treated].mean()
    terms = terms_of(Sample(treated, outcome, spent[:, None]))
    assert raw > 1
    assert abs(float((terms.treated - terms.held_out).mean())) < 1e-9


def test_the_effect_itself_is_never_taken_for_something_known() -> None:
    treated = np.arange(4_000) % 2 == 0
    rng = np.random.default_rng(2)
    outcome = (rng.random(4_000) < np.where(treated, 0.6, 0.2)).astype(float)
    # By chance the groups differ in it, and it foretells nothing.
    known = rng.normal(size=(4_000, 5)) + np.where(treated, 1.0, 0.0)[:, None]
    found = compare(Sample(treated, outcome, known))
    assert found is not None
    assert found.difference.value == pytest.approx(0.4, abs=0.05)


def test_with_too_few_people_or_orders_nothing_is_said() -> None:
    def of(treated: int, held_out: int, orders: int) -> Sample:
        assigned = np.array([True] * treated + [False] * held_out)
        outcome = np.concatenate([np.arange(treated) < orders, np.arange(held_out) < orders]).astype(float)
        return Sample(assigned, outcome, np.zeros((len(assigned), 0)))

    assert compare(of(LEAST_PEOPLE, LEAST_PEOPLE, int(LEAST_HITS))) is not None
    assert compare(of(LEAST_PEOPLE, LEAST_PEOPLE - 1, int(LEAST_HITS))) is None
    assert compare(of(LEAST_PEOPLE, LEAST_PEOPLE, int(LEAST_HITS) - 1)) is None
    assert compare(of(500, 0, 0)) is None


@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-50, 50))
def test_another_unit_and_swapped_groups_change_what_they_should(seed: int, unit: float, shift: float) -> None:
    world = sample(800, seed=seed, rate=0.3, held=0.5)
    found = compare(world)
    if found is None or found.ratio is None:
        return
    scaled = compare(Sample(world.treated, world.outcome * unit, world.known * 3 + shift))
    swapped = compare(Sample(~world.treated, world.outcome, world.known))
    assert scaled is not None and swapped is not None and scaled.ratio is not None
    assert scaled.difference.value == pytest.approx(found.difference.value * unit, rel=1e-6, abs=1e-9)
    assert scaled.ratio.value == pytest.approx(found.ratio.value, rel=1e-6, abs=1e-9)
    assert scaled.p == pytest.approx(found.p, rel=1e-6)
    assert swapped.difference.value == pytest.approx(-found.difference.value, abs=1e-9)
    assert swapped.p == pytest.approx(found.p, rel=1e-6)


@given(st.integers(1, 10**6), st.floats(-1, 1), st.floats(0.01, 10))
def test_the_interval_leaves_zero_exactly_when_the_p_value_says_so(n: int, mean: float, spread: float) -> None:
    p = always_valid_p(log_evidence(mean, spread, n))
    outside = abs(mean) > reach(n) * spread
    assert 0 <= p <= 1
    if abs(abs(mean) - reach(n) * spread) > 1e-9:
        assert outside == (p < ALPHA)


@given(st.integers(1, 10**6))
def test_more_people_narrow_the_interval_and_it_is_never_as_narrow_as_a_fixed_one(n: int) -> None:
    assert reach(n + 1) < reach(n)
    assert reach(n) > 1.96 / math.sqrt(n)


def test_the_alarm_rings_for_a_wrong_share_and_hardly_ever_for_the_right_one() -> None:
    rng = np.random.default_rng(4)
    looks = range(100, 10_001, 100)
    false = sum(balance(rng.random(10_000) >= 0.1, 0.1, looks).alarm for _ in range(150))
    assert false <= 1
    assert balance(rng.random(20_000) >= 0.08, 0.1, looks).alarm
    assert not balance(rng.random(200) >= 0.08, 0.1).alarm


def test_an_alarm_that_rang_once_goes_on() -> None:
    wrong_then_made_up_for = np.concatenate([np.ones(2_000, dtype=bool), np.zeros(250, dtype=bool)])
    assert balance(wrong_then_made_up_for, 0.1, [2_000]).alarm
    assert not balance(wrong_then_made_up_for, 0.1).alarm
    assert balance(wrong_then_made_up_for, 0.1, [2_000]).p < ALARM


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values_keep_their_order_and_never_shrink(values: list[float]) -> None:
    found = adjusted(values)
    assert all(one >= raw for one, raw in zip(found, values, strict=True))
    assert all(0 <= one <= 1 for one in found)
    pairs = sorted(zip(values, found, strict=True))
    assert all(a[1] <= b[1] for a, b in pairwise(pairs))


def test_discoveries_are_those_of_benjamini_and_hochbergs_own_example() -> None:
    # Table 1 of the 1995 paper: 15 p-values, of which four are rejected at 5 %.
    published = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590,
        1.0,
    ]  # fmt: skip
    assert [p <= RATE for p in adjusted(published)] == [True] * 4 + [False] * 11


def test_false_discoveries_stay_rare_among_many_groups_without_effect() -> None:
    wrong = 0
    for seed in range(60):
        worlds = [compare(sample(1_000, seed=seed * 20 + group, rate=0.3, held=0.5)) for group in range(10)]
        wrong += any(p <= RATE for p in adjusted([found.p for found in worlds if found is not None]))
    assert wrong / 60 <= 0.1


def test_with_as_many_people_as_planned_the_lift_is_seen_four_times_in_five() -> None:
    trial = compare(sample(20_000, seed=9, rate=0.2, held=0.5, told=0.3))
    assert trial is not None
    needed = people_needed(trial.spread, 0.2 * 0.25)
    assert needed is not None
    seen = 0
    for seed in range(100):
        found = compare(sample(needed, seed=7_000 + seed, rate=0.2, held=0.5, lift=0.25, told=0.3))
        seen += found is not None and found.difference.above_zero
    assert 0.65 <= seen / 100 <= 0.92


def test_a_smaller_effect_needs_more_people_and_none_at_all_cannot_be_planned_for() -> None:
    few, many = people_needed(1.0, 0.1), people_needed(1.0, 0.05)
    assert few is not None and many is not None
    assert many > 3 * few
    assert people_needed(1.0, 0.0) is None
    assert people_needed(1.0, 1e-9) is None


@pytest.mark.parametrize(("held", "rate"), [(0.5, 0.1), (0.1, 0.3)])
def test_margins_of_very_different_orders_mislead_as_rarely_as_promised(held: float, rate: float) -> None:
    misled, said = 0, 0
    for seed in range(WORLDS):
        bought = sample(12_000, seed=seed, rate=rate, held=held)
        # A shop whose largest baskets are tens of times the usual one.
        sizes = np.random.default_rng(50_000 + seed).lognormal(8, 1.2, bought.people)
        world = Sample(bought.treated, np.round(bought.outcome * sizes), bought.known)
        looks = [found for n in np.geomspace(200, 12_000, 25) if (found := compare(world.first(int(n)))) is not None]
        misled += any(look.difference.above_zero or look.difference.below_zero for look in looks)
        said += bool(looks)
    assert said > WORLDS / 2
    assert misled / WORLDS <= ALPHA + 2 * math.sqrt(ALPHA * (1 - ALPHA) / WORLDS)


def test_orders_are_worth_less_the_more_some_outweigh_the_others() -> None:
    nothing = np.zeros(500)
    assert hits_worth(nothing) == 0
    assert hits_worth(np.concatenate([nothing, np.full(30, 4_999.0)])) == pytest.approx(30)
    # 40 orders of one size and one of twenty times that: 60² / 440 of one size, and that squared / 41.
    assert hits_worth(np.array([1.0] * 40 + [20.0])) == pytest.approx((3_600 / 440) ** 2 / 41)
    # Log-normal with σ 1.2: 110 orders are 25 by Kish's count, and still too few for a spread that can be believed.
    sizes = np.exp(1.2 * ndtri((np.arange(110) + 0.5) / 110))
    assert hits_worth(sizes) < LEAST_HITS < sizes.sum() ** 2 / (sizes**2).sum()
