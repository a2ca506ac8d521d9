"""Sums: all that a policy keeps of the outcomes it learned from. They add up, in any order and from any worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class NotFinite(ValueError):
    """A feature, reward or weight is NaN or infinite; nothing was added."""


@dataclass(slots=True)
class Sums:
    """For each of K arms, over the outcomes seen: ``xx`` (K, d, d) = Σ w·x·xᵀ, ``xr`` (K, d) = Σ w·r·x,
    ``rr`` (K,) = Σ w·r², ``n`` (K,) = Σ w.

    x is the row of features (its first is 1), r the reward, w the weight of an outcome.
    """

    xx: Floats
    xr: Floats
    rr: Floats
    n: Floats

    @classmethod
    def empty(cls, arms: int, features: int) -> Sums:
        """Of no outcome at all."""
        return cls(np.zeros((arms, features, features)), np.zeros((arms, features)), np.zeros(arms), np.zeros(arms))

    @property
    def arms(self) -> int:
        """How many arms, K."""
        return len(self.n)

    @property
    def features(self) -> int:
        """How long a row is, d."""
        return int(self.xr.shape[1])

    def add(self, arm: int, row: Floats, reward: float, weight: float = 1.0) -> None:
        """Counts one outcome. Raises NotFinite."""
        # One sum tells: a NaN or an infinity anywhere in the row survives it.
        if not np.isfinite(row.sum() + reward + weight):
            raise NotFinite("a feature, the reward or the weight is not a finite number")
        weighted = row * weight
        self.xx[arm] += np.multiply.outer(weighted, row)
        self.xr[arm] += weighted * reward
        self.rr[arm] += weight * reward * reward
        self.n[arm] += weight

    def merge(self, other: Sums, share: float = 1.0) -> None:
        """Adds another worker's, or another bucket's, sums; ``share`` below 1 forgets a part of them."""
        self.xx += share * other.xx
        self.xr += share * other.xr
        self.rr += share * other.rr
        self.n += share * other.n

    def fade(self, share: float) -> None:
        """Forgets: what is kept counts ``share`` of what it did."""
        self.xx *= share
        self.xr *= share
        self.rr *= share
        self.n *= share

    def to_bytes(self, arm: int) -> bytes:
        """One arm's sums: little-endian doubles, the upper triangle of xx, then xr, rr, n."""
        upper = self.xx[arm][np.triu_indices(self.features)]
        return np.concatenate([upper, self.xr[arm], [self.rr[arm], self.n[arm]]]).astype("<f8").tobytes()

    def add_bytes(self, arm: int, data: bytes, share: float = 1.0) -> None:
        """Adds what ``to_bytes`` gave. Raises ValueError when it is of another length: other features."""
        d = self.features
        triangle = d * (d + 1) // 2
        if len(data) != 8 * (triangle + d + 2):
            raise ValueError(f"sums of another number of features than {d}")
        values: NDArray[Any] = np.frombuffer(data, "<f8") * share
        upper = np.zeros((d, d))
        upper[np.triu_indices(d)] = values[:triangle]
        self.xx[arm] += upper + np.triu(upper, 1).T
        self.xr[arm] += values[triangle : triangle + d]
        self.rr[arm] += values[-2]
        self.n[arm] += values[-1]
