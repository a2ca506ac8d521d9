"""When a schedule is due: cron lines and intervals, in a zone with its clock changes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

from flows.local_time import at_local

_BOUNDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_NAMES: Final[dict[str, dict[str, int]]] = {
    "month": {
        name: number
        for number, name in enumerate(
            ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
        )
    },
    "weekday": {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))},
}
_MOST_DAYS: Final = 366 * 8 + 3
"""A 29th of February comes again within eight years."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron line: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday).

    As everywhere, where both days are given one of them is enough.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    @classmethod
    def parse(cls, line: str) -> Self:
        """Reads the five fields; each a ``*``, a number, a range, a list, with ``/step``. Raises ValueError."""
        fields = line.split()
        if len(fields) != len(_BOUNDS):
            raise ValueError('a cron line has five fields, "minute hour day month weekday", such as "0 9 * * 1"')
        read = [_field(text, *bounds) for text, bounds in zip(fields, _BOUNDS, strict=True)]
        days, months = read[2], read[3]
        weekdays = frozenset(day % 7 for day in read[4])
        found = cls(read[0], read[1], days, months, weekdays, fields[2].startswith("*"), fields[4].startswith("*"))
        if not any(found._fits(date(2028, 1, 1) + timedelta(days=n)) for n in range(366)):
            raise ValueError(f"no day ever fits {line!r}")
        return found

    def next(self, after: datetime, zone: ZoneInfo) -> datetime:
        """The first time later than ``after``, in UTC. A time that a clock change leaves out comes right after it, one
        that comes twice counts once."""
        local = after.astimezone(zone)
        for n in range(_MOST_DAYS):
            day = local.date() + timedelta(days=n)
            if not self._fits(day):
                continue
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    at = at_local(day, time(hour, minute), zone)
                    if at > after:
                        return at
        raise AssertionError("A cron line that was parsed has a next time.")

    def _fits(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday


def next_interval(every: timedelta, after: datetime) -> datetime:
    """The next multiple of ``every`` since 1970 after ``after``: all workers agree on it."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + ((after - epoch) // every + 1) * every


def _field(text: str, name: str, least: int, most: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        span, _, step_text = part.partition("/")
        step = _number(step_text, "", 1, most) if "/" in part else 1
        if span == "*":
            first, last = least, most
        else:
            first_text, dash, last_text = span.partition("-")
            first = _number(first_text, name, least, most)
            last = _number(last_text, name, least, most) if dash else (most if "/" in part else first)
        if first > last:
            raise ValueError(f"{part!r} runs backwards: write the smaller number first")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(text: str, name: str, least: int, most: int) -> int:
    value = _NAMES.get(name, {}).get(text, int(text) if text.isascii() and text.isdigit() and len(text) < 4 else None)
    if value is None or not least <= value <= most:
        raise ValueError(f"{text!r} is no {name or 'step'}: write a number from {least} to {most}")
    return value
