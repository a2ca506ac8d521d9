"""Whom to send a promotion: the uplift of Starbucks' randomised trial, at the break-even of its cost.

`python -m bench.uplift [--train FILE] [--test FILE] [--json]`. Columns Promotion (Yes, No), purchase (0, 1), V1 to V7.
A purchase is worth 10, a promotion costs 0.15: who is foretold to buy 1.5 points more often with it gets it. Without a
test file the training file is split in halves by fixed seeds, and the figures are means over the splits.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.datasets import data_set
from bench.report import Figure, report
from bench.uplift_model import Campaign, best_pool, campaign, uplift

Floats = NDArray[np.float64]
WORTH, COST = 10.0, 0.15
POOLS = (100.0, 300.0, 1000.0, 3000.0)
RIDGE = 10.0
SPLITS = 6
BARS = {"IRR": 0.0206, "NIR": 368.0}
CATEGORIES, NUMBERS = ("V1", "V4", "V5", "V6", "V7"), ("V2", "V3")


@dataclass(frozen=True, slots=True)
class Trial:
    """``values``: each column as it was read."""

    values: dict[str, NDArray[np.str_]]
    treated: Floats
    outcomes: Floats


def read(path: Path) -> Trial:
    """The rows of a file. Exits naming a column that is not there."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        records = list(csv.DictReader(file))
    wanted = ("Promotion", "purchase", *CATEGORIES, *NUMBERS)
    if not records or (missing := [name for name in wanted if name not in records[0]]):
        raise SystemExit(f"{path} has no rows, or lacks columns: {', '.join(wanted)} are expected.")
    del missing
    return Trial(
        {name: np.array([r[name] for r in records]) for name in (*CATEGORIES, *NUMBERS)},
        np.array([float(r["Promotion"] == "Yes") for r in records]),
        np.array([float(r["purchase"]) for r in records]),
    )


def rows_of(trial: Trial, like: Trial) -> Floats:
    """Categories as columns of their own, the two numbers and their squares, and all products of two; scaled by
    ``like``, which alone was learned from."""
    flags, owner = [], []
    for name in CATEGORIES:
        for value in np.unique(like.values[name]):
            flags.append((trial.values[name] == value).astype(float))
            owner.append(name)
    numbers = []
    for name in NUMBERS:
        known = like.values[name].astype(float)
        numbers.append((trial.values[name].astype(float) - known.mean()) / (known.std() or 1.0))
    products = [flags[i] * flags[j] for i, j in combinations(range(len(flags)), 2) if owner[i] != owner[j]]
    products += [flag * number for flag in flags for number in numbers]
    squares = [number**2 for number in numbers] + [numbers[0] * numbers[1]]
    return np.column_stack([*flags, *numbers, *squares, *products])


def one(train: Trial, test: Trial) -> Campaign:
    """Learns from ``train``, acts on ``test``."""
    rows = rows_of(train, train)
    pool = best_pool(rows, train.treated, train.outcomes, POOLS, ridge=RIDGE)
    found = uplift(rows, train.treated, train.outcomes, ridge=RIDGE, pool=pool).of(rows_of(test, train))
    chosen = (found > COST / WORTH).astype(float)
    return campaign(chosen, test.treated, test.outcomes, worth=WORTH, cost=COST)


def _part(trial: Trial, rows: NDArray[np.int64]) -> Trial:
    return Trial({name: v[rows] for name, v in trial.values.items()}, trial.treated[rows], trial.outcomes[rows])


def _option(name: str) -> Path | None:
    if name not in sys.argv:
        return None
    place = sys.argv.index(name) + 1
    if place >= len(sys.argv) or not Path(sys.argv[place]).is_file():
        raise SystemExit(f"{name} needs a file that is there.")
    return Path(sys.argv[place])


def main() -> None:
    """Prints the table; with --json the last line is the result."""
    path, test_path = _option("--train") or data_set("starbucks_promo_training.csv"), _option("--test")
    if path is None:
        missing = "starbucks_promo_training.csv is not there"
        report("uplift", [Figure(name, None, missing, bar) for name, bar in BARS.items()])
        return
    trial = read(path)
    if test_path is not None:
        test = read(test_path)
        pairs, said = [(trial, test)], ""
    else:
        pairs, said = [], f"mean of {SPLITS} half-and-half splits of the training file"
        for seed in range(SPLITS // 2):
            order = np.random.default_rng(seed).permutation(len(trial.outcomes))
            halves = np.array_split(order, 2)
            pairs += [(_part(trial, a), _part(trial, b)) for a, b in (halves, halves[::-1])]
    found = [one(train, test) for train, test in pairs]
    everybody = [
        campaign(np.ones(len(test.outcomes)), test.treated, test.outcomes, worth=WORTH, cost=COST) for _, test in pairs
    ]
    figures = []
    for name, of in (("IRR", "irr"), ("NIR", "net")):
        values = [getattr(one, of) for one in found]
        value = float(np.mean(values))
        peer: dict[str, object] = {"everybody": round(float(np.mean([getattr(e, of) for e in everybody])), 4)}
        if len(values) > 1:
            peer |= {"least": round(min(values), 4), "most": round(max(values), 4)}
        figures.append(
            Figure(name, round(value, 4), said, BARS[name], value >= BARS[name], len(pairs[0][1].outcomes), peer)
        )
    figures.append(Figure("people acted on", round(float(np.mean([one.people for one in found]))), ""))
    report("uplift", figures)


if __name__ == "__main__":
    main()
