"""Who is turned away waits for it: the more of them there are, the longer, so that refusing a crowd costs no more."""

from __future__ import annotations

import asyncio

import pytest

from insights.traffic.holds import (
    HOLD_SECONDS,
    LONGEST_HOLD_SECONDS,
    LONGEST_WHO_WILL_NOT_HEAR_SECONDS,
    MOST_HELD,
    TURNED_AWAY_A_SECOND,
    Heed,
    Holds,
    hold_of,
)
from insights.traffic.limits import Traffic


def test_a_few_wait_a_moment() -> None:
    assert hold_of(1) == hold_of(50) == HOLD_SECONDS


def test_a_crowd_is_told_no_faster_than_so_many_a_second() -> None:
    for crowd in (100, 200, 500, 1_000):
        assert crowd / hold_of(crowd) == pytest.approx(TURNED_AWAY_A_SECOND)


def test_nobody_waits_for_ever() -> None:
    assert hold_of(1_000_000) == LONGEST_HOLD_SECONDS


async def test_all_of_a_crowd_are_held() -> None:
    traffic = Traffic()
    crowd = [asyncio.create_task(traffic.hold()) for _ in range(2_000)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(task.done() for task in crowd)
    for task in crowd:
        task.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)


def test_who_comes_back_too_early_waits_twice_as_long_each_time_and_who_waits_as_told_no_longer_than_at_first() -> None:
    holds = []
    heed, now = Heed(), 100.0
    for _ in range(12):
        holds.append(hold_of(1, heed.came(now)))
        now += holds[-1]
        heed.told(now, 2.0)
        now += 0.1
    assert holds[:4] == pytest.approx([HOLD_SECONDS * 2**n for n in range(4)])
    assert holds[-1] == LONGEST_WHO_WILL_NOT_HEAR_SECONDS
    # As told, by a clock that is a little fast.
    now += 1.85
    assert hold_of(1, heed.came(now)) == HOLD_SECONDS
    assert hold_of(1, 10_000) == LONGEST_WHO_WILL_NOT_HEAR_SECONDS


def test_past_so_many_nobody_is_held() -> None:
    holds = Holds()
    held = [holds.begin() for _ in range(MOST_HELD + 5)]
    assert all(held[:MOST_HELD])
    assert not any(held[MOST_HELD:])
    for _ in range(6):
        holds.end()
    assert holds.begin() > 0.0
