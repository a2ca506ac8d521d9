"""What a policy would have earned, from decisions that another one made: off-policy evaluation.

Every figure comes with an interval and with the effective number of decisions behind it. Where that is too small there
is no ranking, only the statement that the data cannot bear one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from insights.policies.ridge import estimate
from insights.policies.sums import Floats, Sums

Z: Final = 1.959963984540054
"""Of a two-sided interval of 95 %."""
ENOUGH: Final = 1_000.0
"""Effective decisions below which nothing is ranked."""


@dataclass(frozen=True, slots=True)
class Logged:
    """n decisions as they were made: ``rows`` (n, d), the ``arms`` (n,) chosen, the ``chances`` (n,) they had then,
    the ``rewards`` (n,), and which arms were ``open`` (n, K) to choose. ``whose`` (n,): a number for each person, whose
    decisions earned the same orders and count together; left out, each decision is somebody else's."""

    rows: Floats
    arms: NDArray[np.int64]
    chances: Floats
    rewards: Floats
    open: NDArray[np.bool_]
    whose: NDArray[np.int64] | None = None

    @property
    def groups(self) -> NDArray[np.int64]:
        """(n,): decisions of one person have the same number, from 0 up."""
        if self.whose is None:
            return np.arange(len(self.arms))
        return np.unique(self.whose, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean reward a decision with its interval of 95 %, the method, and the effective number of decisions,
    (Σw)² / Σw² (Kish 1965), of the n that were logged; those of one person are one with the sum of their weights."""

    method: str
    value: float
    low: float
    high: float
    effective: float
    n: int

    @property
    def bears(self) -> bool:
        """Whether the data can bear a ranking."""
        return self.effective >= ENOUGH


def ips(logged: Logged, chances: Floats) -> Estimate:
    """Inverse propensity scoring (Horvitz & Thompson 1952): unbiased, and wide.

    ``chances`` (n, K): what the policy in question would have given each arm.
    """
    weights = _weights(logged, chances)
    return _of("ips", weights * logged.rewards, weights, logged.groups)


def snipw(logged: Logged, chances: Floats) -> Estimate:
    """The same, normalised by the weights (Swaminathan & Joachims 2015): a little biased, much less wide."""
    weights = _weights(logged, chances)
    total = weights.sum()
    if total <= 0:
        return Estimate("snipw", 0.0, -np.inf, np.inf, 0.0, len(weights))
    value = float((weights * logged.rewards).sum() / total)
    # The delta method: a ratio of means varies as its linearised terms do.
    terms = weights * (logged.rewards - value) * len(weights) / total
    return _around("snipw", value, terms, weights, logged.groups)


def doubly_robust(logged: Logged, chances: Floats, expected: Floats) -> Estimate:
    """Doubly robust (Dudík, Langford & Li 2011): right if either the chances or ``expected`` (n, K) are.

    ``expected``: what each arm is believed to earn in each row, by a model that did not see the row.
    """
    weights = _weights(logged, chances)
    index = np.arange(len(logged.arms))
    believed = (chances * expected).sum(axis=1)
    terms = believed + weights * (logged.rewards - expected[index, logged.arms])
    return _of("dr", terms, weights, logged.groups)


def expected_of_others(logged: Logged, arms: int, *, folds: int = 2) -> Floats:
    """(n, K): what each arm is expected to earn in each row, by a regression over the other folds' people."""
    n, d = logged.rows.shape
    expected = np.zeros((n, arms))
    fold = logged.groups % folds
    for held in range(folds):
        sums = Sums.empty(arms, d)
        others = fold != held
        for arm in range(arms):
            chosen = others & (logged.arms == arm)
            rows, rewards = logged.rows[chosen], logged.rewards[chosen]
            sums.xx[arm], sums.xr[arm] = rows.T @ rows, rows.T @ rewards
            sums.rr[arm], sums.n[arm] = float((rewards**2).sum()), float(len(rewards))
        expected[fold == held] = logged.rows[fold == held] @ estimate(sums).weights.T
    return expected


def _weights(logged: Logged, chances: Floats) -> Floats:
    values: Floats = chances[np.arange(len(logged.arms)), logged.arms] / logged.chances
    return values


def _of(method: str, terms: Floats, weights: Floats, groups: NDArray[np.int64]) -> Estimate:
    value = float(terms.mean()) if len(terms) else 0.0
    return _around(method, value, terms - value, weights, groups)


def _around(method: str, value: float, terms: Floats, weights: Floats, groups: NDArray[np.int64]) -> Estimate:
    """``terms``: one a decision, their mean zero. The variance is that of people's sums (Liang & Zeger 1986)."""
    n = len(terms)
    sums, weighed = np.bincount(groups, terms), np.bincount(groups, weights)
    people = len(sums)
    squares = float((weighed**2).sum())
    effective = float(weighed.sum()) ** 2 / squares if squares > 0 else 0.0
    if people < 2:
        return Estimate(method, value, -np.inf, np.inf, effective, n)
    half = Z * float(np.sqrt((sums**2).sum() * people / (people - 1))) / n
    return Estimate(method, value, value - half, value + half, effective, n)
