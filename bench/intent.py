"""How well the trainer of the intent scores foretells purchases on public data, beside scikit-learn's learners.

`python -m bench.intent [--train FILE --test FILE [--outcome COLUMN]] [--json]`. Five folds, with the outcome's share
the same in each (UCI) or no visitor on both sides (RetailRocket). UCI's page values are known only after the visit: the
figure without them is the one that means something. The same rows and folds go to every learner.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.datasets import data_set
from bench.report import Figure, report
from bench.shoppers import Floats, Shoppers, retailrocket, table, uci
from insights.intents.fit import FitSettings, auc, best_settings, fit, log_odds_of
from insights.intents.training import CHOICES

FOLDS: Final = 5
SEED: Final = 0
CURVES: Final = tuple(choice for choice in CHOICES if not choice.tables)

Measure = Callable[["Learner"], float]

Learner = Callable[[Floats, Floats, Floats], Floats]
"""Learns from (rows, outcomes) and scores the third. Can be sent to another process."""


@dataclass(frozen=True, slots=True)
class Ours:
    """The product's own trainer; of several settings that which foretells best within what is learned from."""

    choices: tuple[FitSettings, ...]

    def __call__(self, rows: Floats, outcomes: Floats, others: Floats) -> Floats:
        """The log-odds of ``others``."""
        inner = np.random.default_rng(SEED).permutation(len(rows)) % 3
        settings = best_settings(rows, outcomes, inner, self.choices)
        return log_odds_of(fit(rows, outcomes, settings), others)


def boosting(rows: Floats, outcomes: Floats, others: Floats) -> Floats:
    """scikit-learn's gradient boosting."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    made = HistGradientBoostingClassifier(learning_rate=0.05, max_iter=150, random_state=0)
    return np.asarray(made.fit(rows, outcomes).predict_proba(others)[:, 1])


def logistic(rows: Floats, outcomes: Floats, others: Floats) -> Floats:
    """scikit-learn's logistic regression."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    made = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000))
    return np.asarray(made.fit(rows, outcomes).predict_proba(others)[:, 1])


OURS: Final = Ours(CHOICES)
BESIDE: dict[str, Learner] = {"curves alone": Ours(CURVES)}
if find_spec("sklearn") is not None:
    BESIDE |= {"gradient boosting": boosting, "logistic": logistic}


def folds_of(data: Shoppers) -> NDArray[np.int64]:
    """The fold of each row: groups stay together; where each row is a group, the outcomes are spread evenly."""
    rng = np.random.default_rng(SEED)
    groups = int(data.groups.max()) + 1
    if groups < len(data.outcomes):
        return np.asarray((rng.permutation(groups) % FOLDS)[data.groups])
    folds = np.zeros(len(data.outcomes), dtype=np.int64)
    for outcome in (0.0, 1.0):
        own = rng.permutation(np.flatnonzero(data.outcomes == outcome))
        folds[own] = np.arange(len(own)) % FOLDS
    return folds


def in_fold(learner: Learner, data: Shoppers, fold: int) -> float:
    """The AUC in one fold of what was learned from the others."""
    own = folds_of(data) == fold
    value = auc(learner(data.rows[~own], data.outcomes[~own], data.rows[own]), data.outcomes[own])
    assert value is not None
    return value


def across_folds(pool: Executor, data: Shoppers) -> Measure:
    """Measures a learner by the mean AUC of the folds. Every fold of every learner is begun now, side by side."""
    begun = {
        learner: [pool.submit(in_fold, learner, data, fold) for fold in range(FOLDS)]
        for learner in (OURS, *BESIDE.values())
    }

    def measure(learner: Learner) -> float:
        return float(np.mean([fold.result() for fold in begun[learner]]))

    return measure


def figure(name: str, measure: Measure, bar: float | None, n: int) -> Figure:
    """Ours, judged; by curves alone and scikit-learn beside it."""
    value = measure(OURS)
    beside = {label: round(measure(learner), 4) for label, learner in BESIDE.items()}
    return Figure(name, round(value, 4), "AUC", bar, None if bar is None else value >= bar, n, beside)


def _option(name: str) -> str | None:
    if name not in sys.argv:
        return None
    place = sys.argv.index(name) + 1
    if place >= len(sys.argv):
        raise SystemExit(f"{name} needs a value.")
    return sys.argv[place]


def _own_files() -> list[Figure]:
    train, test = _option("--train"), _option("--test")
    if train is None or test is None:
        raise SystemExit("--train and --test go together: name both files.")
    for path in (train, test):
        if not Path(path).is_file():
            raise SystemExit(f"{path} is not there.")
    learn, judge = table([Path(train), Path(test)], _option("--outcome") or "y")

    def measure(learner: Learner) -> float:
        value = auc(learner(learn.rows, learn.outcomes, judge.rows), judge.outcomes)
        if value is None:
            raise SystemExit(f"{test} has only one kind of outcome: nothing can be told apart.")
        return value

    return [figure(f"{Path(test).name} after {Path(train).name}", measure, None, len(judge.outcomes))]


def main() -> None:
    """Prints the table; with --json the last line is the result."""
    if "--train" in sys.argv or "--test" in sys.argv:
        report("intent", _own_files())
        return
    figures: list[Figure] = []
    judged: list[tuple[str, Measure, float, int]] = []
    sets: list[tuple[str, str, float, Callable[[Path], Shoppers]]] = [
        ("UCI without page values", "online_shoppers_intention.csv", 0.785, partial(uci, page_values=False)),
        ("UCI with page values", "online_shoppers_intention.csv", 0.935, partial(uci, page_values=True)),
        ("RetailRocket, first cart", "retailrocket_cart_prefix.csv", 0.645, retailrocket),
    ]
    # Each fold in a process of its own that begins afresh, for threads of numerical libraries do not survive a fork;
    # and with one such thread each, or they would fight for the processors.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    with ProcessPoolExecutor(min(FOLDS, os.cpu_count() or 1), mp_context=get_context("spawn")) as pool:
        for name, file, bar, read in sets:
            path = data_set(file)
            if path is None:
                figures.append(Figure(name, None, f"{file} is not there", bar))
                continue
            data = read(path)
            judged.append((name, across_folds(pool, data), bar, len(data.outcomes)))
        figures += [figure(*one) for one in judged]
    report("intent", figures)


if __name__ == "__main__":
    main()
