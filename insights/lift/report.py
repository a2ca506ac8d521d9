"""Works out the lift report: what people who may be spoken to do more, in all, by group, and as it stood each day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from insights.lift.balance import Balance, balance
from insights.lift.comparison import LEAST_HITS, LEAST_PEOPLE, Comparison, compare, hits_worth
from insights.lift.people import Crowd, Person
from insights.lift.power import people_needed
from insights.lift.sample import Sample
from insights.reports.discoveries import adjusted

BY: Final = ("action", "stage", "segment")
RATE: Final = 0.05
"""Share of what is believed that may be wrong."""
MOST_DAYS: Final = 45
"""Points of the chart; of a longer time evenly spread days are drawn, the last one among them."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: people whose first moment lies in ``since`` … ``until``, and what they did within ``horizon`` of
    it, as it is known ``now``. ``share`` is held out. ``detect``: the lift, as a share of the held-out mean, for which
    the people still needed are told. ``currency`` None: the shop named no margin."""

    since: datetime
    until: datetime
    now: datetime
    horizon: timedelta
    share: float
    detect: float = 0.1
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One outcome compared. ``comparison`` None: too few people. ``more_people``: how many more are needed to see the
    lift that is asked for; None when that cannot be foreseen, 0 when enough are there."""

    comparison: Comparison | None
    more_people: int | None

    @property
    def verdict(self) -> str:
        """ "more", "less" or "cannot tell"."""
        if self.comparison is None:
            return "cannot tell"
        difference = self.comparison.difference
        return "more" if difference.above_zero else "less" if difference.below_zero else "cannot tell"


@dataclass(frozen=True, slots=True)
class Day:
    """What stood in the report at the end of a day (UTC midnight): differences with the people who counted by then."""

    at: datetime
    people: int
    conversion: Comparison | None
    margin: Comparison | None


@dataclass(frozen=True, slots=True)
class Group:
    """The people of one action, stage or segment. ``p`` values are as they count among all groups that were looked at;
    ``…_believed``: it is a discovery among them."""

    name: str
    treated: int
    held_out: int
    conversion: Finding
    margin: Finding | None
    conversion_p: float | None
    margin_p: float | None

    @property
    def conversion_believed(self) -> bool:
        return self.conversion_p is not None and self.conversion_p <= RATE

    @property
    def margin_believed(self) -> bool:
        return self.margin_p is not None and self.margin_p <= RATE


@dataclass(frozen=True, slots=True)
class Report:
    """``waiting``: people whose horizon is not over; they count for the balance only."""

    question: Question
    treated: int
    held_out: int
    waiting: int
    balance: Balance
    conversion: Finding
    margin: Finding | None
    days: tuple[Day, ...]
    by: str | None
    groups: tuple[Group, ...]

    @property
    def people(self) -> int:
        return self.treated + self.held_out

    @property
    def people_a_day(self) -> float:
        """How many people reach a first moment in a day."""
        end = min(self.question.until, self.question.now)
        days = (end - self.question.since).total_seconds() / 86_400
        return (self.people + self.waiting) / days if days > 0 else 0.0


def work_out(people: Iterable[Person], question: Question, by: str | None = None) -> Report:
    """The report on these people, all of whose first moments lie within the question's window."""
    everybody = Crowd(people)
    # Only whose time is over: what somebody does must not change after it was counted, or a look would not be one.
    counted = everybody.until(question.now - question.horizon)
    crowd = everybody.first(counted)
    midnights = _midnights(question)
    conversion, margin = crowd.conversion(), crowd.margin() if question.currency is not None else None
    groups = () if by is None else tuple(_groups(crowd, conversion, margin, by, question))
    return Report(
        question=question,
        treated=int(crowd.treated.sum()),
        held_out=int((~crowd.treated).sum()),
        waiting=len(everybody) - counted,
        balance=balance(everybody.treated, question.share, [everybody.until(at) for at in midnights]),
        conversion=_finding(conversion, question),
        margin=None if margin is None else _finding(margin, question),
        days=tuple(_days(crowd, conversion, margin, midnights, question)),
        by=by,
        groups=groups,
    )


def _finding(sample: Sample, question: Question) -> Finding:
    found = compare(sample)
    if found is None:
        return Finding(None, _more_to_begin_with(sample, question.share))
    needed = people_needed(found.spread, question.detect * found.held_out_mean)
    return Finding(found, None if needed is None else max(0, needed - sample.people))


def _more_to_begin_with(sample: Sample, share: float) -> int | None:
    """How many more people it takes until anything can be said at all: until the side that lacks most has enough."""
    if not 0 < share < 1 or sample.people == 0:
        return None
    lacking = []
    for side, part in ((sample.treated, 1 - share), (~sample.treated, share)):
        people, worth = int(side.sum()), hits_worth(sample.outcome[side])
        # A side on which nothing happened yet is taken to be like all.
        rate = worth / people if worth > 0 else hits_worth(sample.outcome) / sample.people
        if rate <= 0:
            return None
        lacking.append((max(LEAST_PEOPLE, LEAST_HITS / rate) - people) / part)
    return max(1, ceil(max(lacking)))


def _midnights(question: Question) -> list[datetime]:
    end = min(question.until, question.now)
    day = question.since.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    found = []
    while day <= question.now and day <= end + question.horizon + timedelta(days=1):
        found.append(day)
        day += timedelta(days=1)
    return found


def _days(
    crowd: Crowd, conversion: Sample, margin: Sample | None, midnights: Sequence[datetime], question: Question
) -> Iterable[Day]:
    for at in _spread(midnights, MOST_DAYS):
        people = crowd.until(at - question.horizon)
        if people:
            yield Day(
                at,
                people,
                compare(conversion.first(people)),
                None if margin is None else compare(margin.first(people)),
            )


def _spread(days: Sequence[datetime], most: int) -> list[datetime]:
    if len(days) <= most:
        return list(days)
    last = len(days) - 1
    return [days[last - round(step * last / (most - 1))] for step in reversed(range(most))]


def _groups(crowd: Crowd, conversion: Sample, margin: Sample | None, by: str, question: Question) -> Iterable[Group]:
    members = crowd.groups(by)
    found = {name: _finding(conversion.of(which), question) for name, which in members.items()}
    earned = {} if margin is None else {name: _finding(margin.of(which), question) for name, which in members.items()}
    p_of, margin_p_of = _among(found), _among(earned)
    order: Callable[[str], int] = lambda name: -int(members[name].sum())  # noqa: E731
    for name in sorted(members, key=order):
        treated = int((crowd.treated & members[name]).sum())
        yield Group(
            name=name,
            treated=treated,
            held_out=int(members[name].sum()) - treated,
            conversion=found[name],
            margin=earned.get(name),
            conversion_p=p_of.get(name),
            margin_p=margin_p_of.get(name),
        )


def _among(findings: dict[str, Finding]) -> dict[str, float]:
    # These are reciprocals of e-values: the rate holds however the comparisons depend on one another (Wang & Ramdas,
    # "False discovery rate control with e-values", 2022).
    tested = {name: finding.comparison.p for name, finding in findings.items() if finding.comparison is not None}
    return dict(zip(tested, adjusted(list(tested.values())), strict=True))
