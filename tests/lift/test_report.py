"""The report: whom it counts, what it says by group and by day, and in which words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from insights.lift import words
from insights.lift.report import work_out
from tests.lift.crowds import BEGAN, crowd, question


def test_an_action_that_works_is_told_from_one_that_does_not() -> None:
    people = crowd(12_000, lift={"cart_save": 0.8, "trust_card": 0.0})
    report = work_out(people, question(12_000), "action")
    named = {group.name: group for group in report.groups}
    assert report.conversion.verdict == "more"
    assert named["cart_save"].conversion_believed
    assert named["cart_save"].conversion.verdict == "more"
    assert not named["trust_card"].conversion_believed
    assert sum(group.held_out for group in report.groups) == report.held_out
    assert words.conversion_words(report).startswith("It works: ")
    assert "held out left" in words.margin_words(report)


def test_segments_overlap_and_each_holds_the_same_kind_of_people() -> None:
    report = work_out(crowd(3_000), question(3_000), "segment")
    sizes = {group.name: group.treated + group.held_out for group in report.groups}
    assert sizes["first visit"] + sizes["returning"] == 3_000
    assert sizes["device: phone"] + sizes["device: tablet"] + sizes["device: desktop"] == 3_000
    assert all(group.conversion_p is None or group.conversion_p >= 0.05 for group in report.groups)


def test_people_whose_days_are_not_over_wait() -> None:
    people = crowd(1_000, a_day=100)
    now = BEGAN + timedelta(days=9)
    asked = question(1_000, a_day=100, now=now, until=now)
    report = work_out([person for person in people if person.at < now], asked)
    assert report.people == 201
    assert report.waiting == 699
    assert report.balance.people == 900
    assert "699 more count once their 7 days are over" in words.conversion_words(report)


def test_each_day_stands_as_it_stood_then() -> None:
    people = crowd(6_000, lift={"cart_save": 0.5})
    late = work_out(people, question(6_000))
    day = late.days[len(late.days) // 2]
    asked = question(6_000, now=day.at, until=day.at)
    then = work_out([person for person in people if person.at < day.at], asked)
    assert then.conversion.comparison == day.conversion
    assert day.margin == (then.margin.comparison if then.margin else None)


def test_cannot_tell_says_how_many_more_people_it_takes() -> None:
    report = work_out(crowd(2_000, lift={"cart_save": 0.02}), question(2_000))
    said = words.conversion_words(report)
    assert report.conversion.verdict == "cannot tell"
    assert report.conversion.more_people
    assert said.startswith("Cannot tell yet: ")
    assert "To see a lift of 10 %, about " in said
    assert "days at 200 a day" in said


def test_how_many_more_it_takes_is_told_by_the_side_that_lacks_them() -> None:
    """Of those who are spoken to many buy; until 25 of the held out do, nothing can be said."""
    people = crowd(1_600, rate=0.11, held=0.1, lift={"cart_save": 2.0})
    held = [person for person in people if person.held_out]
    hits = sum(person.orders > 0 for person in held)
    assert len(held) > 100 and 5 < hits < 20
    report = work_out(people, question(1_600, share=0.1))
    assert report.conversion.comparison is None
    lacking = 25 * len(held) / hits - len(held)
    assert report.conversion.more_people == pytest.approx(lacking / 0.1, abs=1)
    told = words.about(report.conversion.more_people or 0)
    assert f"About {told} more people are needed" in words.conversion_words(report)


def test_a_wrong_share_is_said_before_anything_else() -> None:
    report = work_out(crowd(4_000, held=0.1, lift={"cart_save": 0.9}), question(4_000, share=0.2))
    assert report.balance.alarm
    for said in (words.conversion_words(report), words.margin_words(report), words.balance_words(report)):
        assert said.startswith("Do not believe these figures: ")


def test_without_holdout_without_margin_and_without_people_it_says_what_to_do() -> None:
    nobody = work_out([], question(10, share=0.0))
    assert words.conversion_words(nobody) == words.NO_HOLDOUT
    assert "margin_rate" in words.margin_words(work_out(crowd(50), question(50, currency=None)))
    just_begun = words.conversion_words(work_out(crowd(50), question(50)))
    assert just_begun.startswith("Cannot tell yet: ")
    assert "Each side needs 100 people" in just_begun


def test_an_action_that_costs_orders_is_said_to_do_harm() -> None:
    report = work_out(crowd(9_000, rate=0.4, lift={"discount_popup": -0.4}), question(9_000))
    assert words.conversion_words(report).startswith("It does harm: ")
    assert "−" in words.conversion_words(report)


@pytest.mark.parametrize(("count", "told"), [(7, "7"), (99, "99"), (1_234, "1,200"), (98_765, "99,000")])
def test_people_are_told_to_two_digits(count: int, told: str) -> None:
    assert words.about(count) == told
