"""Decides what a mix of reasons is, given how often the classifier takes one reason for another. Pure.

The labels are sessions whose named reason a person has confirmed or corrected. From them and the mix that was named
come the rates P(named | true); the mix that explains best what was named in a cell is the corrected one (Rogan and
Gladen 1978, for more than two classes and with shares that cannot be negative). Its interval is drawn from both
uncertainties.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_LABELS: Final = 30
"""Of one classifier and kind; fewer say too little."""
DRAWS: Final = 200
_SUM_WEIGHT: Final = 10.0
_OWN: Final = 2.0
"""As many labels count as saying that a reason is what it was named."""


def corrected_mix(observed: Floats, n: float, labels: Floats, usual: Floats) -> tuple[Floats, Floats, Floats] | None:
    """The true shares with their 95 % interval, or None with too few labels.

    ``observed``: named shares in the cell (sum 1), of ``n`` effective sessions. ``labels[true, named]``: counts.
    ``usual``: named shares where the labels come from, the whole project's.
    """
    if labels.sum() < LEAST_LABELS or observed.sum() <= 0:
        return None
    true = _solve(_named_given_true(_true_given_named(labels), usual), observed)
    rng = np.random.default_rng(0)
    size = len(observed)
    drawn = np.empty((DRAWS, size))
    counted = labels + _OWN * np.eye(size)
    for number in range(DRAWS):
        rates = np.column_stack([rng.dirichlet(counted[:, named] + 1e-6) for named in range(size)])
        seen = rng.dirichlet(observed * n + 1 / size)
        drawn[number] = _solve(_named_given_true(rates, usual), seen)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return true, np.minimum(low, true), np.maximum(high, true)


def _true_given_named(labels: Floats) -> Floats:
    counted: Floats = labels + _OWN * np.eye(len(labels))
    columns: Floats = counted / counted.sum(axis=0, keepdims=True)
    return columns


def _named_given_true(true_given_named: Floats, usual: Floats) -> Floats:
    """Rows are true reasons: how each is named."""
    joint = true_given_named * np.maximum(usual, 1e-6)[None, :]
    rows: Floats = joint / np.maximum(joint.sum(axis=1, keepdims=True), 1e-12)
    return rows


def _solve(named_given_true: Floats, observed: Floats) -> Floats:
    from scipy.optimize import nnls  # 23 MB, for projects whose people have said enough of what was named

    size = len(observed)
    matrix = np.vstack([named_given_true.T, np.full((1, size), _SUM_WEIGHT)])
    found, _ = nnls(matrix, np.append(observed, _SUM_WEIGHT * observed.sum()))
    total = found.sum()
    shares: Floats = found / total if total > 0 else observed
    return shares
