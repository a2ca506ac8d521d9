"""Rests: whoever floods beside others gathers, and nobody else does."""

from __future__ import annotations

from uuid import uuid4

from insights.events.rests import APART_SECONDS, LATELY, REST_SECONDS, Rests, answered_over


def test_only_who_floods_rests_and_only_beside_others() -> None:
    flood, other = uuid4(), uuid4()
    rests = Rests()
    rests.flushed(flood, 0.0)
    rests.turned_away(flood, 0.0)
    assert rests.rest_of(flood, 0.0) == 0.0
    rests.flushed(other, 0.1)
    for _ in range(5):
        rests.flushed(flood, 0.2)
    assert rests.rest_of(flood, 0.2) == REST_SECONDS
    assert rests.rest_of(other, 0.2) == 0.0


def test_a_rest_ends_with_the_flood_and_with_the_others_leaving() -> None:
    flood, other = uuid4(), uuid4()
    rests = Rests()
    rests.flushed(other, 0.0)
    rests.turned_away(flood, LATELY)
    assert rests.rest_of(flood, LATELY) == REST_SECONDS
    assert rests.rest_of(flood, LATELY + 0.1) == 0.0
    rests.flushed(other, 2 * LATELY)
    assert rests.rest_of(flood, 2 * LATELY) == REST_SECONDS
    rests.flushed(other, 2 * LATELY + 0.1)
    assert rests.rest_of(flood, 2 * LATELY + 0.1) == 0.0


def test_all_of_a_flush_are_answered_before_the_next() -> None:
    assert answered_over(1) == answered_over(60) == APART_SECONDS
    assert 2_000 * answered_over(2_000) < REST_SECONDS
