"""Turns expected rewards into exact probabilities: mostly the best arm, the others as often as it pays to ask."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.special import ndtr

from insights.policies.sums import Floats

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(32)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_TINY: Final = 1e-9


def square_cb(expected: Floats, gamma: float) -> Floats:
    """SquareCB (Foster & Rakhlin 2020, algorithm 1): probability falls with the gap to the best arm.

    ``expected`` (m,) rewards; ``gamma`` ≥ 0: how steeply it falls, in 1 / reward. Sums to 1.
    """
    m = len(expected)
    best = int(expected.argmax())
    values: Floats = 1.0 / (m + gamma * (expected[best] - expected))
    values[best] = 0.0
    values[best] = 1.0 - values.sum()
    return values


def thompson(expected: Floats, deviation: Floats) -> Floats:
    """Thompson sampling's probabilities (m,): that of each arm to be the best under independent normal beliefs.

    Integrated by Gauss–Hermite quadrature of 32 points an arm, so that they are exact enough to be logged.
    """
    deviation = np.maximum(deviation, _TINY)
    points = expected[:, None] + deviation[:, None] * _NODES[None, :]
    below = ndtr((points[:, :, None] - expected[None, None, :]) / deviation[None, None, :])
    m = len(expected)
    below[np.arange(m), :, np.arange(m)] = 1.0
    values: Floats = np.einsum("mqk->mq", np.log(np.maximum(below, 1e-300)))
    values = np.exp(values) @ _WEIGHTS
    total = values.sum()
    return values / total if total > 0 else np.full(m, 1.0 / m)


def at_least(probabilities: Floats, floor: float) -> Floats:
    """The same with every arm at ``floor`` or more: logs with tiny probabilities cannot be evaluated."""
    m = len(probabilities)
    kept = min(floor, 1.0 / m)
    values: Floats = kept + (1.0 - m * kept) * probabilities
    return values
