"""How many people a comparison needs before it is likely to show an effect of a given size."""

from __future__ import annotations

import math
from typing import Final

from scipy.special import ndtri

from insights.lift.sequences import ALPHA, reach

POWER: Final = 0.8
MOST: Final = 10**9


def people_needed(spread: float, effect: float, *, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """The least number of people, both groups together, with whom an effect of this size leaves zero outside of the
    always-valid interval with a chance of ``power``. ``spread``: standard deviation of one person's term, in the unit
    of ``effect``. None when a thousand million are not enough.

    At n people the estimate lies above effect − z·spread/√n with that chance, so that has to reach the half width.
    """
    size = abs(effect)
    if size <= 0 or spread <= 0:
        return None
    z = float(ndtri(power))

    def enough(n: int) -> bool:
        return reach(n, alpha) * spread + z * spread / math.sqrt(n) <= size

    if not enough(MOST):
        return None
    low, high = 1, MOST
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low
