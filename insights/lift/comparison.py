"""Compares who may be spoken to with who is held out: the difference and the ratio of their means, with intervals.

Intention to treat: people count for the group they were assigned to, whatever they were shown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from insights.lift.adjustment import Terms, terms_of
from insights.lift.sample import Floats, Sample
from insights.lift.sequences import ALPHA, always_valid_p, log_evidence, reach

LEAST_PEOPLE: Final = 100
LEAST_HITS: Final = 25.0
"""People in each group, and outcomes' worth in each (``hits_worth``), below which nothing is said: the intervals rest
on the central limit theorem. Waiting longer for the first look breaks no promise."""

ROUNDING: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its always-valid interval; a bound is None where there is none."""

    value: float
    low: float | None
    high: float | None

    @property
    def above_zero(self) -> bool:
        return self.low is not None and self.low > 0

    @property
    def below_zero(self) -> bool:
        return self.high is not None and self.high < 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """``difference`` of the adjusted means, treated less held out; ``ratio``: the same as a share of the held-out mean,
    None where that mean is not above zero. ``treated_mean`` and ``held_out_mean`` are as counted, not adjusted.

    ``p``: always valid, two-sided, of no difference. ``spread``: standard deviation of one person's term, for planning.
    """

    treated: int
    held_out: int
    treated_mean: float
    held_out_mean: float
    difference: Interval
    ratio: Interval | None
    p: float
    spread: float
    explained: float

    @property
    def people(self) -> int:
        return self.treated + self.held_out


def too_few(sample: Sample) -> bool:
    """Whether so little happened yet that no interval can be given."""
    groups = (sample.treated, ~sample.treated)
    return any(
        group.sum() < LEAST_PEOPLE or hits_worth(sample.outcome[group]) < LEAST_HITS - ROUNDING for group in groups
    )


def hits_worth(outcome: Floats) -> float:
    """As how many outcomes of one size these (n,) are worth to an interval. Of shares who bought that is those who
    bought; of margins fewer. The k that are not zero say as much as k' = (Σ|y|)² / Σy² of one size (Kish 1965), and how
    far they spread is known as much worse again, k'² / k: in a small group the large orders have yet to come, and its
    mean and spread are both too low until then. By k' alone 7 to 10 of 100 shops without any effect were told of one
    (a tenth held out, orders log-normal with σ 1.2 to 1.5)."""
    hits, squares = int(np.count_nonzero(outcome)), float((outcome**2).sum())
    return (float(np.abs(outcome).sum()) ** 2 / squares) ** 2 / hits if squares > 0 else 0.0


def compare(sample: Sample, alpha: float = ALPHA) -> Comparison | None:
    """The comparison, whose intervals hold at every look with a chance of 1 − ``alpha``; None while there are too few
    people for one."""
    if too_few(sample):
        return None
    terms, n = terms_of(sample), sample.people
    each = terms.treated - terms.held_out
    value, spread = float(each.mean()), float(each.std(ddof=1))
    half = reach(n, alpha) * spread
    return Comparison(
        treated=int(sample.treated.sum()),
        held_out=int((~sample.treated).sum()),
        treated_mean=float(sample.outcome[sample.treated].mean()),
        held_out_mean=float(sample.outcome[~sample.treated].mean()),
        difference=Interval(value, value - half, value + half),
        ratio=_ratio(terms, n, alpha),
        p=always_valid_p(log_evidence(value, spread, n)),
        spread=spread,
        explained=terms.explained,
    )


def _ratio(terms: Terms, n: int, alpha: float) -> Interval | None:
    """Fieller's interval (1954) with the sequence's reach: all r for which treated − r · held out may be zero. A set
    that goes on for ever has no bound on that side; less one, so that 0 is no lift."""
    top, bottom = float(terms.treated.mean()), float(terms.held_out.mean())
    if bottom <= 0:
        return None
    covariance = np.cov(np.vstack([terms.treated, terms.held_out])) * reach(n, alpha) ** 2
    a = bottom**2 - float(covariance[1, 1])
    b = top * bottom - float(covariance[0, 1])
    c = top**2 - float(covariance[0, 0])
    value = top / bottom - 1
    if a <= 0:
        return Interval(value, None, None)
    root = math.sqrt(max(0.0, b * b - a * c))
    return Interval(value, (b - root) / a - 1, (b + root) / a - 1)
