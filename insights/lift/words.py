"""Says what a lift report means, in sentences that need no statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from insights.lift.comparison import LEAST_HITS, LEAST_PEOPLE, Comparison
from insights.lift.report import Finding, Group, Report
from insights.recovery.money import money
from insights.vocabulary.shares import percent

NO_HOLDOUT: Final = (
    "Nobody is held out, so nobody can say what would have happened without us. Hold out a share of the visitors, "
    'one in ten is a good start: Settings, Project, The shop; or PATCH /v1/shop with {"holdout": 0.1}.'
)
NO_MARGIN: Final = (
    "The shop has not said what an order leaves it: Settings, Project, The shop; or "
    'PATCH /v1/shop with {"currency": "EUR", "margin_rate": 0.3}, for instance.'
)
PER: Final = 100
"""Margins are told for so many people: a person's own is a fraction of a coin."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """How shares of people who bought are told. ``unequal``: what is said of orders that do not count alike."""

    unequal: ClassVar[str] = ""

    def means(self, found: Comparison) -> str:
        treated, held_out = points(found.treated_mean), points(found.held_out_mean)
        return f"{treated} of those who may be spoken to bought, {held_out} of those held out"

    def signed(self, difference: float) -> str:
        """A difference in percentage points."""
        if difference == 0:
            return "0 points"
        digits = 1 if abs(difference) >= 0.01 else 2
        return _minus(f"{difference * 100:+.{digits}f} points")


@dataclass(frozen=True, slots=True)
class Margin:
    """How margins in minor units a person are told."""

    unequal: ClassVar[str] = ", more where some orders are far larger than others"
    currency: str

    def means(self, found: Comparison) -> str:
        treated, held_out = self._amount(found.treated_mean), self._amount(found.held_out_mean)
        return f"{PER} people who may be spoken to left a margin of {treated}, {PER} held out left {held_out}"

    def signed(self, difference: float) -> str:
        """A difference of ``PER`` people."""
        return ("+" if difference > 0 else "") + self._amount(difference)

    def _amount(self, value: float) -> str:
        return _minus(money(round(value * PER), self.currency))


Unit = Conversion | Margin


def points(share: float) -> str:
    """A share as a percentage with as many digits as are worth reading."""
    digits = 1 if abs(share) >= 0.01 or share == 0 else 2
    return _minus(percent(share, digits))


def share(of: float) -> str:
    """A share that was set."""
    return f"{of * 100:.3g} %"


def about(count: int) -> str:
    """A number of people to two digits: more would claim to know more."""
    if count < 100:
        return f"{count}"
    size = 10 ** (len(str(count)) - 2)
    return f"{round(count / size) * size:,}"


def balance_words(report: Report) -> str:
    """Whether as many are held out as should be."""
    found = report.balance
    if found.people == 0:
        return "Nobody has reached a moment for acting yet."
    counted = f"{found.held_out:,} of {found.people:,} people are held out, {points(found.held_out / found.people)}"
    if not found.alarm:
        return f"{counted}; {share(found.expected)} should be. That fits."
    return (
        f"Do not believe these figures: {counted}, and {share(found.expected)} should be. By chance that happens less "
        "than once in a thousand times. Look for what reaches only one of the groups: pages that cannot log decisions, "
        "bots, a shop that treats the held out in a way of its own, devices that were joined because of a message."
    )


def conversion_words(report: Report) -> str:
    """What the conversion lift says."""
    return _words(report, report.conversion, Conversion())


def margin_words(report: Report) -> str:
    """What the margin lift says."""
    if report.question.share <= 0:
        return NO_HOLDOUT
    if report.margin is None or report.question.currency is None:
        return NO_MARGIN
    return _words(report, report.margin, Margin(report.question.currency))


def group_words(report: Report, group: Group) -> str:
    """What the conversion lift of one group says among the others."""
    return _among(report, group, group.conversion, Conversion(), group.conversion_believed)


def group_margin_words(report: Report, group: Group) -> str:
    """What the margin lift of one group says among the others."""
    if group.margin is None or report.question.currency is None:
        return NO_MARGIN
    return _among(report, group, group.margin, Margin(report.question.currency), group.margin_believed)


def _among(report: Report, group: Group, finding: Finding, unit: Unit, believed: bool) -> str:
    found = finding.comparison
    if found is None:
        return f"Too few: {group.held_out:,} held out, {group.treated:,} others."
    told = f"{unit.means(found)}, {_span(found, unit)}."
    if report.balance.alarm:
        return f"Not to be believed before the groups fit. {told}"
    if finding.verdict == "cannot tell":
        return f"Cannot tell: {told}"
    if not believed:
        return f"Stands out, but among {len(report.groups)} that were looked at that may be chance. {told}"
    return f"{'More' if finding.verdict == 'more' else 'Less'}: {told}"


def _words(report: Report, finding: Finding, unit: Unit) -> str:
    if report.question.share <= 0:
        return NO_HOLDOUT
    if report.balance.alarm:
        return balance_words(report)
    found = finding.comparison
    if found is None:
        return _too_few(report, finding, unit)
    told = f"{unit.means(found)}, {_span(found, unit)}"
    if finding.verdict == "cannot tell":
        return f"Cannot tell yet: {told}. {_still_needed(report, finding)}"
    start = "It works" if finding.verdict == "more" else "It does harm"
    return f"{start}: {told}{_ratio(found)}."


def _span(found: Comparison, unit: Unit) -> str:
    low, high = found.difference.low, found.difference.high
    assert low is not None and high is not None  # noqa: S101 - a difference always has both
    return f"a difference of {unit.signed(found.difference.value)}, between {unit.signed(low)} and {unit.signed(high)}"


def _ratio(found: Comparison) -> str:
    if found.ratio is None:
        return ""
    return _minus(f"; that is {found.ratio.value * 100:+.0f} %")


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _too_few(report: Report, finding: Finding, unit: Unit) -> str:
    counted = (
        f"Cannot tell yet: {report.held_out:,} people held out and {report.treated:,} others count so far. Each side "
        f"needs {LEAST_PEOPLE} people, {LEAST_HITS:.0f} of them with an order{unit.unequal}."
    )
    waiting = ""
    if report.waiting:
        days = report.question.horizon.days
        waiting = f" {report.waiting:,} more count once their {days} day{'' if days == 1 else 's'} are over."
    if finding.more_people is None:
        return counted + waiting
    return f"{counted} {_more(finding.more_people).capitalize()}{_days(report, finding)}.{waiting}"


def _more(count: int) -> str:
    return "one more person is needed" if count == 1 else f"about {about(count)} more people are needed"


def _still_needed(report: Report, finding: Finding) -> str:
    lift = f"a lift of {report.question.detect * 100:.3g} %"
    if finding.more_people is None:
        return f"No number of people would show {lift} of so little."
    if finding.more_people == 0:
        return f"There are enough people to see {lift} four times in five: if there is one, it is likely smaller."
    return f"To see {lift}, {_more(finding.more_people)}{_days(report, finding)}."


def _days(report: Report, finding: Finding) -> str:
    if not finding.more_people or report.people_a_day <= 0:
        return ""
    days = finding.more_people / report.people_a_day
    if days < 1:
        return ", less than a day's"
    return f", some {about(round(days))} day{'' if round(days) == 1 else 's'} at {report.people_a_day:,.0f} a day"
