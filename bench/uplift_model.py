"""Estimates what acting changes, by what is known of each: one ridge regression with every feature twice. Pure.

outcome = a·x + (t − s)·(u·x) with t = 1 where it was acted, s the share of that in the trial: u·x is the uplift. The
second half is drawn towards "the same for everybody" (its constant is free), because differences between people are
what noise looks most like. For a randomised trial (Nie & Wager, "Quasi-oracle estimation of heterogeneous treatment
effects", Biometrika 2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from insights.policies.sums import Floats, NotFinite

FOLDS: Final = 5


@dataclass(frozen=True, slots=True)
class Uplift:
    """``weights`` (d + 1,): the constant, then a weight a feature."""

    weights: Floats

    def of(self, rows: Floats) -> Floats:
        """How much acting adds to the outcome of each row (n, d) → (n,)."""
        values: Floats = self.weights[0] + rows @ self.weights[1:]
        return values


@dataclass(frozen=True, slots=True)
class Campaign:
    """What acting on the chosen people of a trial brought.

    ``irr``: outcome rate of the chosen who were treated, less that of the chosen who were not. ``net``: what the
    treated of them brought, less the cost, less what the untreated of them brought.
    """

    people: int
    irr: float
    net: float


def uplift(rows: Floats, treated: Floats, outcomes: Floats, *, ridge: float = 1.0, pool: float = 100.0) -> Uplift:
    """The uplift by ``rows`` (n, d), ``treated`` (n,) of 0 and 1 and ``outcomes`` (n,).

    ``ridge``: how many rows the belief "x says nothing of the outcome" is worth; ``pool``: the belief "acting does the
    same to everybody". Raises NotFinite, and ValueError when nobody or everybody was treated.
    """
    design = _design(rows, treated, outcomes)
    return Uplift(_solved(design.T @ design, design.T @ outcomes, ridge, pool))


def best_pool(rows: Floats, treated: Floats, outcomes: Floats, choices: tuple[float, ...], *, ridge: float) -> float:
    """The ``pool`` that foretells outcomes best over five folds.

    Only what acting changes is foretold with different pools: the share that is due to x alone is one of all.
    """
    design = _design(rows, treated, outcomes)
    fold = np.arange(len(rows)) % FOLDS
    grams = [design[fold == k].T @ design[fold == k] for k in range(FOLDS)]
    moments = [design[fold == k].T @ outcomes[fold == k] for k in range(FOLDS)]
    half = design.shape[1] // 2
    losses = dict.fromkeys(choices, 0.0)
    for k in range(FOLDS):
        gram, moment = sum(grams) - grams[k], sum(moments) - moments[k]
        own = design[fold == k]
        base = own[:, :half] @ _main(gram, moment, ridge, half)
        left = outcomes[fold == k] - base
        for pool in choices:
            found = own[:, half:] @ _solved(gram, moment, ridge, pool)
            losses[pool] += float(np.sum((left - found) ** 2))
    return min(choices, key=lambda pool: losses[pool])


def campaign(chosen: Floats, treated: Floats, outcomes: Floats, *, worth: float, cost: float) -> Campaign:
    """``chosen`` (n,): above 0 where the policy would act; ``worth`` of one outcome, ``cost`` of acting once."""
    acted, not_acted = (chosen > 0) & (treated > 0), (chosen > 0) & (treated <= 0)
    people = int((chosen > 0).sum())
    if not acted.any() or not not_acted.any():
        return Campaign(people, 0.0, 0.0)
    bought, anyway = float(outcomes[acted].sum()), float(outcomes[not_acted].sum())
    count = int(acted.sum())
    return Campaign(people, bought / count - anyway / int(not_acted.sum()), worth * (bought - anyway) - cost * count)


def _design(rows: Floats, treated: Floats, outcomes: Floats) -> Floats:
    if not (np.isfinite(rows).all() and np.isfinite(outcomes).all()):
        raise NotFinite("rows and outcomes must be finite")
    share = float(treated.mean())
    if not 0.0 < share < 1.0:
        raise ValueError("some must be treated and some not")
    own = np.column_stack([np.ones(len(rows)), rows])
    return np.column_stack([own, own * (treated - share)[:, None]])


def _main(gram: Floats, moment: Floats, ridge: float, half: int) -> Floats:
    belief = np.diag(np.concatenate([[1e-9], np.full(half - 1, ridge)]))
    return np.asarray(np.linalg.solve(gram[:half, :half] + belief, moment[:half]), dtype=np.float64)


def _solved(gram: Floats, moment: Floats, ridge: float, pool: float) -> Floats:
    """The weights of the uplift: the second half."""
    half = len(moment) // 2
    belief = np.concatenate([[0.0], np.full(half - 1, ridge), [0.0], np.full(half - 1, pool)])
    return np.asarray(np.linalg.solve(gram + np.diag(belief + 1e-9), moment)[half:], dtype=np.float64)
