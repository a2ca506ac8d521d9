"""Estimates each arm's reward as a linear function of the features, by ridge regression drawn towards the whole.

An arm with little of its own evidence is believed to be like the others: its prior is the regression over all arms,
and evidence of its own outweighs that (an empirical-Bayes shrinkage; Gelman et al., Bayesian Data Analysis, ch. 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from insights.policies.sums import Floats, Sums


@dataclass(frozen=True, slots=True)
class Estimates:
    """``weights`` (K, d): expected reward of arm k is weights[k]·x. ``spread`` (K, d, d): their covariance for a
    noise variance of 1. ``noise`` (K,): the variance of a reward around what is expected. ``n`` (K,): outcomes.
    """

    weights: Floats
    spread: Floats
    noise: Floats
    n: Floats

    def expected(self, row: Floats) -> Floats:
        """Each arm's expected reward (K,) for one row (d,)."""
        values: Floats = self.weights @ row
        return values

    def deviation(self, row: Floats) -> Floats:
        """Each arm's standard error (K,) of that expectation."""
        variance = np.einsum("kij,i,j->k", self.spread, row, row, optimize=False)
        values: Floats = np.sqrt(np.maximum(variance * self.noise, 0.0))
        return values


def estimate(sums: Sums, *, ridge: float = 1.0, pool: float = 1.0) -> Estimates:
    """Estimates from ``sums``.

    ``ridge``: how many outcomes the belief "nothing matters" of the pooled regression is worth. ``pool``: how many the
    belief "this arm is like the others" is worth.
    """
    d = sums.features
    eye = np.eye(d)
    all_xx, all_xr = sums.xx.sum(axis=0), sums.xr.sum(axis=0)
    whole = np.linalg.solve(all_xx + ridge * eye, all_xr)
    spread: Floats = np.linalg.inv(sums.xx + pool * eye).astype(np.float64)
    weights = np.einsum("kij,kj->ki", spread, sums.xr + pool * whole)
    # Residual sum of squares of each arm, shrunk towards that of all arms, so that one outcome proves nothing.
    own = sums.rr - 2 * np.einsum("ki,ki->k", weights, sums.xr) + np.einsum("ki,kij,kj->k", weights, sums.xx, weights)
    total = max(float(own.clip(min=0.0).sum()), 0.0)
    typical = (total + 1e-6) / (float(sums.n.sum()) + 1.0)
    noise = (own.clip(min=0.0) + d * typical) / (sums.n + d)
    return Estimates(weights, spread, noise, sums.n.copy())
