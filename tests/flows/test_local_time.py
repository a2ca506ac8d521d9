"""Times of day over every zone's clock changes: nothing is sent in quiet hours, and nothing waits for ever."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from flows.local_time import at_local, is_quiet, next_local, quiet_until
from flows.schedule import Cron

ZONES = sorted(zoneinfo.available_timezones())
FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)


@cache
def changes(name: str) -> tuple[datetime, ...]:
    """The moments in 2026 and 2027 at which clocks of a zone are changed."""
    zone, found, day = ZoneInfo(name), [], FIRST
    while day < LAST:
        early, late = day, day + timedelta(days=1)
        if early.astimezone(zone).utcoffset() != late.astimezone(zone).utcoffset():
            while late - early > timedelta(minutes=1):
                middle = early + (late - early) / 2
                same = middle.astimezone(zone).utcoffset() == early.astimezone(zone).utcoffset()
                early, late = (middle, late) if same else (early, middle)
            found.append(late)
        day += timedelta(days=1)
    return tuple(found)


def moments() -> Iterator[tuple[str, datetime]]:
    """Around every clock change of every zone, and one quiet day for the rest."""
    for name in ZONES:
        around = [at + timedelta(minutes=m) for at in changes(name) for m in range(-360, 361, 45)]
        for now in around or [FIRST]:
            yield name, now


HOURS = [(time(21), time(8)), (time(1, 30), time(2, 30)), (time(2), time(3)), (time(22), time(2, 15))]


def test_quiet_hours_end_at_the_next_loud_moment_over_every_clock_change_of_every_zone() -> None:
    seen = 0
    for name, now in moments():
        zone = ZoneInfo(name)
        for begin, end in HOURS:
            until = quiet_until(now, begin, end, zone)
            assert (until is not None) == is_quiet(now, begin, end, zone), (name, now)
            if until is not None:
                seen += 1
                # Postponed, not lost and not early: the first loud moment, at most a day and an hour away.
                assert now < until <= now + timedelta(hours=25), (name, now, begin, end, until)
                assert not is_quiet(until, begin, end, zone), (name, now, begin, end, until)
                assert is_quiet(until - timedelta(seconds=1), begin, end, zone), (name, now, begin, end, until)
    assert seen > 1000
    assert sum(len(changes(name)) for name in ZONES) > 500


def test_the_next_local_time_shows_on_the_clock_or_lies_right_after_a_change_that_left_it_out() -> None:
    for name, now in moments():
        zone = ZoneInfo(name)
        for clock in (time(0), time(1, 30), time(2, 30), time(9)):
            at = next_local(now, clock, zone)
            local = at.astimezone(zone)
            assert now <= at <= now + timedelta(hours=49), (name, now, clock)
            if local.time() != clock:
                before = (at - timedelta(seconds=1)).astimezone(zone)
                assert before.replace(tzinfo=None) < datetime.combine(local.date(), clock) < local.replace(tzinfo=None)


def test_an_hour_that_comes_twice_counts_once_and_one_that_is_left_out_comes_after_it() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert at_local(date(2026, 3, 29), time(2, 30), berlin) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert at_local(date(2026, 10, 25), time(2, 30), berlin) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    daily = Cron.parse("30 2 * * *")
    found, at = [], datetime(2026, 10, 24, tzinfo=UTC)
    while at < datetime(2026, 10, 28, tzinfo=UTC):
        at = daily.next(at, berlin)
        found.append(at.astimezone(berlin).day)
    assert found == [24, 25, 26, 27, 28]


def test_a_weekday_is_the_visitors_own() -> None:
    auckland = ZoneInfo("Pacific/Auckland")
    sunday_evening_utc = datetime(2026, 11, 22, 20, tzinfo=UTC)  # Monday morning there
    assert next_local(sunday_evening_utc, time(9), auckland, [0]).astimezone(auckland).isoformat() == (
        "2026-11-23T09:00:00+13:00"
    )


def test_cron_lines_mean_what_they_say() -> None:
    utc, now = ZoneInfo("UTC"), datetime(2026, 11, 21, 12, tzinfo=UTC)  # a Saturday
    for line, wanted in {
        "0 9 * * mon-fri": "2026-11-23T09:00",
        "*/15 12 * * *": "2026-11-21T12:15",
        "0 0 1 jan *": "2027-01-01T00:00",
        "0 9 13 * 5": "2026-11-27T09:00",
        "0 9 * * 7": "2026-11-22T09:00",
        "0 0 29 2 *": "2028-02-29T00:00",
        "5,10 3-5/2 * * *": "2026-11-22T03:05",
    }.items():
        assert Cron.parse(line).next(now, utc).isoformat()[:16] == wanted, line


@settings(deadline=None)
@given(
    st.integers(0, 2 * 365 * 24 * 60),
    st.sampled_from(ZONES),
    st.sampled_from(["0 9 * * *", "30 2 * * *", "*/20 1-3 * * *", "0 0 1 * *", "15 2 * * sun"]),
)
def test_a_schedule_always_moves_on(minutes: int, name: str, line: str) -> None:
    now = FIRST + timedelta(minutes=minutes)
    following = Cron.parse(line).next(now, ZoneInfo(name))
    assert now < following <= now + timedelta(days=33)
