"""Three made worlds in which the best action is known: linear, with interactions, and one that changes half-way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Kind = Literal["lin", "int", "shift"]

ARMS: Final = 12
FEATURES: Final = 30
NOISE: Final = 1.0
"""More than what the actions differ by: one visitor's outcome says little, as in a shop."""


@dataclass(frozen=True, slots=True)
class World:
    """``rows`` (n, d), the first column 1; ``means`` (n, K): what each action would earn on average; ``noise`` (n,)."""

    rows: Floats
    means: Floats
    noise: Floats

    def share(self, earned: float) -> float:
        """Where ``earned`` (a mean of ``means``) lies between choosing at random (0) and knowing the best (1)."""
        random, oracle = float(self.means.mean()), float(self.means.max(axis=1).mean())
        return (earned - random) / (oracle - random)


def world(kind: Kind, steps: int, seed: int) -> World:
    """A world of ``steps`` visitors; another seed is another world."""
    rng = np.random.default_rng([seed, {"lin": 1, "int": 2, "shift": 3}[kind]])
    rows = rng.normal(size=(steps, FEATURES))
    # Half of a profile's features are flags.
    flags = slice(1, FEATURES // 2)
    rows[:, flags] = rng.random((steps, FEATURES // 2 - 1)) < 0.3
    rows[:, 0] = 1.0

    def linear() -> Floats:
        weights = rng.normal(size=(FEATURES, ARMS)) / np.sqrt(FEATURES)
        means: Floats = rows @ weights
        return means

    means = linear()
    if kind == "shift":
        means[steps // 2 :] = linear()[steps // 2 :]
    if kind == "int":
        pairs = rng.integers(1, FEATURES, size=(8, 2))
        products = rows[:, pairs[:, 0]] * rows[:, pairs[:, 1]]
        means = means + products @ rng.normal(size=(len(pairs), ARMS)) * 0.2
    return World(rows, means, rng.normal(size=steps) * NOISE)
