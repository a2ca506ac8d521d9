"""The people of a comparison as numbers: who was assigned what, what they did, what was known of them before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sample:
    """n people in the order in which their moment came: ``treated`` (n,) as assigned, ``outcome`` (n,) in any unit,
    ``known`` (n, k): numbers that were known before the moment and that no treatment could change."""

    treated: Bools
    outcome: Floats
    known: Floats

    def __post_init__(self) -> None:
        if not (len(self.treated) == len(self.outcome) == len(self.known)):
            raise ValueError("treated, outcome and known must tell of the same people")
        if not (np.isfinite(self.outcome).all() and np.isfinite(self.known).all()):
            raise ValueError("every outcome and everything known must be a finite number")

    @property
    def people(self) -> int:
        return len(self.treated)

    def of(self, which: Bools) -> Self:
        """Some of these people: (n,) of booleans."""
        return type(self)(self.treated[which], self.outcome[which], self.known[which])

    def first(self, n: int) -> Self:
        """The first ``n`` people."""
        return type(self)(self.treated[:n], self.outcome[:n], self.known[:n])
