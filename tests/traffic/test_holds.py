"""Who is turned away waits for it: the more of them there are, the longer, so that refusing a crowd costs no more."""

from __future__ import annotations

import asyncio

import pytest

from insights.traffic.limits import HOLD_SECONDS, LONGEST_HOLD_SECONDS, TURNED_AWAY_A_SECOND, Traffic, hold_of


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
