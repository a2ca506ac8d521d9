"""Fits an additive model to rows and outcomes: curves by penalised logistic regression, or boosted tables. Pure.

Curves are linear B-splines whose bends are penalised (P-splines; Eilers & Marx, Statistical Science 1996), found by
Newton's method. Little evidence is best told by curves, much of it by tables: ``best_settings`` says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from insights.intents.additive import Additive, Curve
from insights.intents.boosting import boosted

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

CHUNK: Final = 8_192
STEPS: Final = 30
GOOD_ENOUGH: Final = 1e-7


@dataclass(frozen=True, slots=True)
class FitSettings:
    """``tables``: how many, instead of curves; 0 for curves.

    ``knots``: most of a curve. Penalties: ``bend`` on its bends, ``ridge`` on its size.
    """

    knots: int = 9
    bend: float = 3.0
    ridge: float = 0.3
    tables: int = 0


@dataclass(frozen=True, slots=True)
class _Basis:
    """Where each parameter stands: the bias first, then each curve's knots."""

    columns: tuple[int, ...]
    knots: tuple[Floats, ...]

    @property
    def starts(self) -> list[int]:
        return [int(s) for s in np.cumsum([1, *(len(k) for k in self.knots)])]

    def matrix(self, rows: Floats) -> Floats:
        """The design matrix (n, p) of some rows."""
        starts = self.starts
        made = np.zeros((len(rows), starts[-1]))
        made[:, 0] = 1.0
        each = np.arange(len(rows))
        for number, (column, knots) in enumerate(zip(self.columns, self.knots, strict=True)):
            x = np.clip(rows[:, column], knots[0], knots[-1])
            right = np.clip(np.searchsorted(knots, x, side="right"), 1, len(knots) - 1)
            part = (x - knots[right - 1]) / (knots[right] - knots[right - 1])
            made[each, starts[number] + right - 1] = 1.0 - part
            made[each, starts[number] + right] = part
        return made

    def penalty(self, settings: FitSettings) -> Floats:
        """The penalty matrix (p, p); the bias is free."""
        starts = self.starts
        made = np.zeros((starts[-1], starts[-1]))
        for number, knots in enumerate(self.knots):
            at, size = starts[number], len(knots)
            block = settings.ridge * np.eye(size)
            if size > 2:
                bends = np.diff(np.eye(size), n=2, axis=0)
                block = block + settings.bend * bends.T @ bends
            made[at : at + size, at : at + size] = block
        return made


def fit(rows: Floats, outcomes: Floats, settings: FitSettings, weights: Floats | None = None) -> Additive:
    """The model of ``outcomes`` (n,) of 0 and 1 by ``rows`` (n, d); ``weights`` (n,) counts rows, 1 each when left out.

    A column that never varies says nothing. Raises ValueError for what is not finite, and when all outcomes are equal.
    """
    if not np.isfinite(rows).all() or not np.isfinite(outcomes).all():
        raise ValueError("rows and outcomes must be finite")
    if len(np.unique(outcomes)) < 2:
        raise ValueError("all outcomes are the same: there is nothing to learn")
    weight = np.ones(len(rows)) if weights is None else weights
    if settings.tables:
        bias, tables = boosted(rows, outcomes, weight, settings.tables)
        return Additive(bias, (), tables)
    found = [(c, k) for c in range(rows.shape[1]) if len(k := knots_of(rows[:, c], settings.knots)) > 1]
    basis = _Basis(tuple(c for c, _ in found), tuple(k for _, k in found))
    return _model(basis, _newton(basis, rows, outcomes, weight, settings))


def knots_of(values: Floats, most: int) -> Floats:
    """Knots of a column: its values when they are few, else quantiles and those values that many rows share.

    One value alone is a single knot.
    """
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= most:
        return distinct
    heavy = distinct[counts > 0.1 * len(values)]
    rest = values[~np.isin(values, heavy)]
    places = np.quantile(rest, np.linspace(0.02, 0.98, max(3, most - len(heavy)))) if len(rest) else np.zeros(0)
    found: Floats = np.unique(np.concatenate([heavy, places]))
    # Two knots closer than this are one: the curve between them would be a cliff made of rounding.
    kept = [found[0]]
    least = (distinct[-1] - distinct[0]) * 1e-6
    for value in found[1:]:
        if value - kept[-1] > least:
            kept.append(value)
    return np.array(kept)


def _newton(basis: _Basis, rows: Floats, outcomes: Floats, weight: Floats, settings: FitSettings) -> Floats:
    size = basis.starts[-1]
    solved: Floats = np.zeros(size)
    mean = float(np.average(outcomes, weights=weight))
    solved[0] = np.log(mean / (1 - mean))
    penalty = basis.penalty(settings)
    best: Floats = solved
    step: Floats = np.zeros(size)
    before = np.inf
    for _ in range(STEPS):
        gram, slope, loss = penalty.copy(), -penalty @ solved, 0.5 * float(solved @ penalty @ solved)
        for at in range(0, len(rows), CHUNK):
            matrix = basis.matrix(rows[at : at + CHUNK])
            y, w = outcomes[at : at + CHUNK], weight[at : at + CHUNK]
            log_odds = np.clip(matrix @ solved, -30, 30)
            p = 1.0 / (1.0 + np.exp(-log_odds))
            loss += float(w @ (np.logaddexp(0.0, log_odds) - y * log_odds))
            slope += matrix.T @ (w * (y - p))
            gram += (matrix * (w * np.maximum(p * (1 - p), 1e-6))[:, None]).T @ matrix
        if loss - before > GOOD_ENOUGH * abs(loss):
            # Too far: where outcomes are rare, a whole step may lead away. Half of it, from the same place.
            step = np.asarray(step / 2, dtype=np.float64)
            solved = np.asarray(best + step, dtype=np.float64)
            continue
        done = before - loss < GOOD_ENOUGH * abs(loss)
        best, before = solved, loss
        if done:
            break
        step = np.asarray(np.linalg.solve(gram + 1e-9 * np.eye(size), slope), dtype=np.float64)
        solved = np.asarray(best + step, dtype=np.float64)
    return best


def _model(basis: _Basis, solved: Floats) -> Additive:
    curves = tuple(
        Curve(column, tuple(map(float, knots)), tuple(map(float, solved[at : at + len(knots)])))
        for column, knots, at in zip(basis.columns, basis.knots, basis.starts, strict=False)
    )
    return Additive(float(solved[0]), curves)


def log_odds_of(model: Additive, rows: Floats) -> Floats:
    """The log-odds (n,) of rows (n, d): ``Additive.log_odds`` of each, at once."""
    total = np.full(len(rows), model.bias)
    for curve in model.curves:
        total += np.interp(rows[:, curve.column], curve.knots, curve.values)
    for table in model.tables:
        cell = np.zeros(len(rows), dtype=np.int64)
        for column, edges, step in zip(table.columns, table.edges, table.steps, strict=True):
            cell += step * np.searchsorted(edges, rows[:, column], side="right")
        total += np.array(table.values)[cell]
    return total


def platt(log_odds: Floats, outcomes: Floats, weights: Floats | None = None) -> tuple[float, float]:
    """(slope, shift) that make log-odds agree with outcomes they were not fitted to (Platt, 1999).

    A straight map of log-odds leaves the sum of terms a sum of terms, which an isotonic one would not. The slope is
    kept from 0.2 to 2: a few outcomes must not turn a model around. (1, 0) when all outcomes are equal.
    """
    if len(np.unique(outcomes)) < 2:
        return 1.0, 0.0
    weight = np.ones(len(outcomes)) if weights is None else weights
    slope, shift = 1.0, 0.0
    # Worth two outcomes: believes the model as it is until there is evidence.
    prior = np.array([2.0, 0.0])
    matrix = np.column_stack([log_odds, np.ones(len(log_odds))])
    for _ in range(STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(slope * log_odds + shift, -30, 30)))
        gradient = matrix.T @ (weight * (outcomes - p)) - prior * np.array([slope - 1.0, shift])
        curvature = (matrix * (weight * p * (1 - p))[:, None]).T @ matrix + np.diag(prior) + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        slope, shift = slope + step[0], shift + step[1]
        if float(np.abs(step).max()) < 1e-9:
            break
    return float(np.clip(slope, 0.2, 2.0)), float(np.clip(shift, -10, 10))


def auc(scores: Floats, outcomes: Floats) -> float | None:
    """The chance that a positive scores above a negative, ties half (Mann-Whitney); None without one of each."""
    positives = int(np.sum(outcomes > 0.5))
    negatives = len(outcomes) - positives
    if not positives or not negatives:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[inverse][outcomes > 0.5].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def best_settings(
    rows: Floats, outcomes: Floats, folds: Whole, choices: Sequence[FitSettings], weights: Floats | None = None
) -> FitSettings:
    """The choice with the least log loss over ``folds`` (n,): each fold is foretold by a model of the others."""
    if len(choices) == 1:
        return choices[0]
    weight = np.ones(len(rows)) if weights is None else weights
    longest = max(choice.tables for choice in choices)
    losses = dict.fromkeys(choices, 0.0)
    for fold in np.unique(folds):
        own = folds == fold
        if len(np.unique(outcomes[~own])) < 2:
            continue
        # Each table is fitted to what those before left: few tables are the first ones of many.
        most = fit(rows[~own], outcomes[~own], FitSettings(tables=longest), weight[~own]) if longest else None
        for choice in choices:
            if choice.tables and most is not None:
                model = Additive(most.bias, (), most.tables[: choice.tables])
            else:
                model = fit(rows[~own], outcomes[~own], choice, weight[~own])
            log_odds = np.clip(log_odds_of(model, rows[own]), -30, 30)
            losses[choice] += float(weight[own] @ (np.logaddexp(0.0, log_odds) - outcomes[own] * log_odds))
    return min(choices, key=losses.__getitem__)
