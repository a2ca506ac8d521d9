"""Decides how much of the past still counts: several memories of different lengths, and the one that foresees best.

In a world that stands still the longest memory knows most; after a change it is wrong for long. Each bucket of outcomes
is therefore first foretold by every memory and then remembered by it, and the errors of the last buckets choose
(prequential evaluation; Dawid 1984, and Gama et al. 2013 for learners under change).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from insights.policies.ridge import Estimates, estimate
from insights.policies.sums import Sums

BUCKET: Final = 500
"""Outcomes in a bucket."""
FADES: Final = (1.0, 0.97, 0.8)
"""What a bucket keeps with each later one, memory by memory: 1 forgets nothing."""
RECENT: Final = 0.8
"""What an error keeps of its weight with each later bucket: about the last five count."""

EQUAL: Final = 0.01
"""Memories whose errors differ by less are about as good: then more evidence is better than less."""


def unforeseen(bucket: Sums, estimates: Estimates) -> float:
    """The squared error of ``estimates`` over the outcomes of ``bucket``, worked out from its sums alone."""
    w = estimates.weights
    fitted = np.einsum("ki,kij,kj->", w, bucket.xx, w)
    return float(bucket.rr.sum() - 2 * np.einsum("ki,ki->", w, bucket.xr) + fitted)


@dataclass(slots=True)
class Memory:
    """The memories of one policy. ``observe`` its buckets in their order in time."""

    arms: int
    features: int
    ridge: float
    pool: float
    sums: list[Sums] = field(init=False)
    errors: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.sums = [Sums.empty(self.arms, self.features) for _ in FADES]
        self.errors = [0.0 for _ in FADES]

    def observe(self, bucket: Sums) -> None:
        """Foretells, then remembers, a full bucket."""
        for index, (fade, sums) in enumerate(zip(FADES, self.sums, strict=True)):
            error = unforeseen(bucket, estimate(sums, ridge=self.ridge, pool=self.pool))
            self.errors[index] = RECENT * self.errors[index] + error
            sums.fade(fade)
            sums.merge(bucket)

    @property
    def chosen(self) -> int:
        """Which memory foresaw the last buckets best; the longest of those that did about as well."""
        enough = min(self.errors) * (1.0 + EQUAL)
        return next(index for index, error in enumerate(self.errors) if error <= enough)

    def best(self, unfinished: Sums | None = None) -> Sums:
        """What it remembers, with the outcomes of a bucket that is not full yet."""
        chosen = self.sums[self.chosen]
        whole = Sums(chosen.xx.copy(), chosen.xr.copy(), chosen.rr.copy(), chosen.n.copy())
        if unfinished is not None:
            whole.merge(unfinished)
        return whole
