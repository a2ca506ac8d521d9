"""The reason mix: shares, intervals, and when one reason leads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from insights.reports.advice import ADVICE, AggregateAction
from insights.reports.mix import Told, reason_mix, wilson
from insights.reports.narrate import mix_words
from insights.vocabulary.reasons import ABANDONED_REASONS, Kind, Reason

NOW = datetime(2026, 11, 21, tzinfo=UTC)
DAY = timedelta(days=1)


def told(reason: Reason, hours_ago: float = 1.0) -> Told:
    return Told(uuid4(), reason, NOW - timedelta(hours=hours_ago))


@given(st.lists(st.tuples(st.sampled_from(list(Reason)), st.floats(0, 10_000)), max_size=60))
def test_shares_add_up_and_lie_in_their_intervals(drawn: list[tuple[Reason, float]]) -> None:
    sessions = [told(reason, hours) for reason, hours in drawn]
    mix = reason_mix(sessions, Kind.ABANDONED, NOW, DAY)
    assert mix.n == sum(one.reason in ABANDONED_REASONS for one in sessions) == sum(one.n for one in mix.shares)
    assert all(0 <= one.low <= one.share <= one.high <= 1 for one in mix.shares)
    if mix.n:
        assert sum(one.share for one in mix.shares) == pytest.approx(1)
        assert 1 - 1e-9 <= mix.effective <= mix.n + 1e-9
    assert [one.share for one in mix.shares] == sorted((one.share for one in mix.shares), reverse=True)


def test_the_interval_is_wilsons() -> None:
    # Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I: 81 of 263 and 1 of 29.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(1 / 29, 29) == pytest.approx((0.0061, 0.1718), abs=1e-4)


def test_newer_sessions_count_more() -> None:
    sessions = [told(Reason.DISTRACTION, 48) for _ in range(10)] + [told(Reason.TECHNICAL_ERROR, 0) for _ in range(6)]
    mix = reason_mix(sessions, Kind.ABANDONED, NOW, DAY)
    assert mix.shares[0].reason is Reason.TECHNICAL_ERROR
    assert mix.shares[0].share == pytest.approx(6 / (6 + 10 / 4))
    assert mix.effective == pytest.approx((6 + 10 / 4) ** 2 / (6 + 10 / 16))


def test_a_reason_leads_only_when_chance_does_not_explain_it() -> None:
    few = [told(Reason.TRUST_CONCERN)] * 3 + [told(Reason.UNCLEAR)] * 2
    assert not reason_mix(few, Kind.ABANDONED, NOW, DAY).leads
    assert reason_mix(few * 40, Kind.ABANDONED, NOW, DAY).leads


def test_two_equal_reasons_seldom_lead() -> None:
    rng = np.random.default_rng(3)
    led = 0
    for _ in range(400):
        sessions = [told(Reason.URGENCY if rng.random() < 0.5 else Reason.VALUE_FIT) for _ in range(60)]
        led += reason_mix(sessions, Kind.CONVERTED, NOW, DAY).leads
    assert led / 400 < 0.09


def test_each_reason_has_an_action_of_its_own() -> None:
    assert set(ADVICE) == set(Reason)
    assert {action for action, _ in ADVICE.values()} == set(AggregateAction)


def test_words_are_never_surer_than_the_numbers() -> None:
    assert "No session" in mix_words(reason_mix([], Kind.ABANDONED, NOW, DAY), Kind.ABANDONED)
    tied = reason_mix([told(Reason.URGENCY), told(Reason.VALUE_FIT)], Kind.CONVERTED, NOW, DAY)
    assert "not surely ahead" in mix_words(tied, Kind.CONVERTED)
    alone = reason_mix([told(Reason.URGENCY)], Kind.CONVERTED, NOW, DAY)
    assert "of the one session that bought" in mix_words(alone, Kind.CONVERTED)
    assert "Too few" in mix_words(alone, Kind.CONVERTED)
