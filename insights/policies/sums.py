"""Sums: all that a policy keeps of the outcomes it learned from. They add up, in any order and from any worker."""

from __future__ import annotations

from dataclasses import dataclass

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

    def to_bytes(self) -> bytes:
        """Arm after arm: the upper triangle of xx row by row, xr, rr, n, as little-endian doubles."""
        i, j = np.triu_indices(self.features)
        return (
            np.concatenate([self.xx[:, i, j], self.xr, self.rr[:, None], self.n[:, None]], axis=1)
            .astype("<f8")
            .tobytes()
        )

    @classmethod
    def of_bytes(cls, arms: int, features: int, data: bytes) -> Sums:
        """What ``to_bytes`` gave; arms that came up since are empty. Raises ValueError when it has other features."""
        triangle = features * (features + 1) // 2
        width = triangle + features + 2
        known, rest = divmod(len(data), 8 * width)
        if rest or known > arms:
            raise ValueError(f"not the sums of {arms} arms and {features} features")
        values = np.zeros((arms, width))
        values[:known] = np.frombuffer(data, "<f8").reshape(known, width)
        xx = np.zeros((arms, features, features))
        i, j = np.triu_indices(features)
        xx[:, i, j] = values[:, :triangle]
        xx[:, j, i] = values[:, :triangle]
        return cls(xx, values[:, triangle:-2].copy(), values[:, -2].copy(), values[:, -1].copy())
