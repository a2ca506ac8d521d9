"""Tells whether as many people are held out as were meant to be. If not, the groups differ by more than the treatment.

The sequential test of Lindon & Malek, "Anytime-valid inference for multinomial count data" (NeurIPS 2022): a Bayes
factor against the share that was set, which may be looked at whenever.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import betaln

from insights.lift.sample import Bools

ALARM: Final = 0.001
FIRMNESS: Final = 100.0
"""People's worth of belief that the share is near the one that was set: faults shift it a little, not a lot."""


@dataclass(frozen=True, slots=True)
class Balance:
    """``p``: always valid. ``expected``: the share that should be held out, 0..1."""

    held_out: int
    people: int
    expected: float
    p: float

    @property
    def alarm(self) -> bool:
        """Whether no figure of this comparison can be believed."""
        return self.p < ALARM


def balance(treated: Bools, expected: float, looks: Sequence[int] = ()) -> Balance:
    """The balance of people in the order in which their moment came. ``looks``: after how many people was looked
    before; what was found then stays found."""
    n = len(treated)
    held = np.concatenate([[0], np.cumsum(~treated)])
    highest = 0.0
    if 0 < expected < 1:
        for look in {*(look for look in looks if 0 < look <= n), n}:
            highest = max(highest, _log_bayes_factor(int(held[look]), look, expected))
    return Balance(int(held[-1]), n, expected, math.exp(-highest))


def _log_bayes_factor(held: int, people: int, expected: float) -> float:
    a, b = FIRMNESS * expected, FIRMNESS * (1 - expected)
    marginal = float(betaln(a + held, b + people - held) - betaln(a, b))
    return marginal - held * math.log(expected) - (people - held) * math.log(1 - expected)
