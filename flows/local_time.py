"""Times of day where a visitor is: the next one, and whether a moment lies in quiet hours. Pure.

A clock change leaves an hour out or brings it twice. A time that is left out is taken right after the change, one that
comes twice is taken the first time; so every local time has one moment, and a postponed send always has a next one.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta, tzinfo


def at_local(day: date, clock: time, zone: tzinfo) -> datetime:
    """The moment, in UTC, at which clocks of ``zone`` show (or, left out, have just passed) ``clock`` on ``day``."""
    wall = datetime.combine(day, clock)
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    # Left out: read with the offset after the change it lies before it, so the change itself is between the two.
    early, late = sorted((first, wall.replace(tzinfo=zone, fold=1).astimezone(UTC)))
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)


def next_local(after: datetime, clock: time, zone: tzinfo, weekdays: Collection[int] = ()) -> datetime:
    """The first moment at or after ``after``, in UTC, at which clocks of ``zone`` show ``clock``.

    ``weekdays``: 0 for Monday to 6; only on those, any where it is empty.
    """
    today = after.astimezone(zone).date()
    for n in range(-1, 16):
        day = today + timedelta(days=n)
        if weekdays and day.weekday() not in weekdays:
            continue
        at = at_local(day, clock, zone)
        if at >= after:
            return at
    raise AssertionError("Every weekday comes within two weeks, whatever clocks do.")


def is_quiet(now: datetime, begin: time, end: time, zone: tzinfo) -> bool:
    """Whether clocks of ``zone`` stand in the quiet hours, which may lie over midnight. ``begin`` belongs to them,
    ``end`` does not."""
    clock = now.astimezone(zone).time().replace(tzinfo=None)
    return begin <= clock < end if begin < end else clock >= begin or clock < end


def quiet_until(now: datetime, begin: time, end: time, zone: tzinfo) -> datetime | None:
    """When the quiet hours around ``now`` end, in UTC; None outside of them."""
    if not is_quiet(now, begin, end, zone):
        return None
    today = now.astimezone(zone).date()
    ends: set[datetime] = set()
    for n in range(-1, 4):
        day = today + timedelta(days=n)
        # An hour that comes twice is quiet twice: its second end counts for who is in its second half.
        ends |= {at_local(day, end, zone), datetime.combine(day, end, zone).replace(fold=1).astimezone(UTC)}
    return next(at for at in sorted(ends) if at > now and not is_quiet(at, begin, end, zone))
