"""Intervals that hold at every look at once, so that looking daily, and stopping when it pleases, is allowed.

Asymptotic confidence sequences after Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, "Time-uniform central limit theory
and asymptotic confidence sequences" (Annals of Statistics 52, 2024): the normal mixture of their Theorem 2.2. Like the
central limit theorem they need a crowd: who calls them decides from how many people on.
"""

from __future__ import annotations

import math
from typing import Final

ALPHA: Final = 0.05
PLANNED: Final = 5_000
"""People at whom the intervals are tightest. Set beforehand: a choice made by the data would undo the promise."""


def mixing(people: int = PLANNED, alpha: float = ALPHA) -> float:
    """ρ, which makes the sequence tightest at ``people`` (their equation for the optimal ρ)."""
    return math.sqrt((-2 * math.log(alpha) + math.log(-2 * math.log(alpha)) + 1) / people)


RHO: Final = mixing()


def reach(n: int, alpha: float = ALPHA, rho: float = RHO) -> float:
    """Half the width of the interval of a mean of ``n`` ≥ 1 terms, in standard deviations of one term."""
    grown = n * rho * rho + 1
    return math.sqrt(2 * grown / (n * rho) ** 2 * math.log(math.sqrt(grown) / alpha))


def log_evidence(mean: float, spread: float, n: int, rho: float = RHO) -> float:
    """The logarithm of the evidence against a mean of zero: an e-value, of which the interval is the other side.

    ``spread``: standard deviation of one term. The chance that it ever reaches log(1/α) without any effect is α.
    """
    if n < 1 or spread <= 0:
        return 0.0
    grown = n * rho * rho + 1
    sum_of_steps = n * mean / spread
    return (rho * sum_of_steps) ** 2 / (2 * grown) - 0.5 * math.log(grown)


def always_valid_p(log_e: float) -> float:
    """The p-value that may be looked at whenever: 1/e, at most 1."""
    return math.exp(-log_e) if log_e > 0 else 1.0
