"""The public data sets of shoppers as rows and outcomes: what is known of a visit, and whether it was bought in."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MONTHS = "Jan Feb Mar Apr May June Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905
_KINDS = ("Administrative", "Informational", "ProductRelated")
_CATEGORIES = ("Month", "VisitorType", "TrafficType", "OperatingSystems", "Browser", "Region")
_RARE = 100


@dataclass(frozen=True, slots=True)
class Shoppers:
    """``rows`` (n, d), ``outcomes`` (n,) of 0 and 1, ``groups`` (n,): rows of one group are never on both sides."""

    rows: Floats
    outcomes: Floats
    groups: NDArray[np.int64]


def uci(path: Path, *, page_values: bool) -> Shoppers:
    """12,330 sessions, each of another visitor. Page values are known only after the visit: with them it is easy."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        records = list(csv.DictReader(file, delimiter=";"))
    columns = []
    for kind in _KINDS:
        pages = np.array([float(r[kind]) for r in records])
        seconds = np.array([float(r[f"{kind}_Duration"]) for r in records])
        columns += [np.log1p(pages), np.log1p(seconds), np.log1p(seconds / np.maximum(pages, 1))]
    columns += [np.array([float(r[name]) for r in records]) for name in ("BounceRates", "ExitRates", "SpecialDay")]
    columns.append(np.array([float(_MONTHS.index(r["Month"])) for r in records]))
    columns.append(np.array([float(r["Weekend"] == "TRUE") for r in records]))
    if page_values:
        columns.append(np.log1p(np.array([float(r["PageValues"]) for r in records])))
    for name in _CATEGORIES:
        values = np.array([r[name] for r in records])
        known, counts = np.unique(values, return_counts=True)
        columns += [(values == one).astype(float) for one, count in zip(known, counts, strict=True) if count >= _RARE]
    outcomes = np.array([float(r["Revenue"] == "TRUE") for r in records])
    return Shoppers(np.column_stack(columns), outcomes, np.arange(len(outcomes)))


def retailrocket(path: Path) -> Shoppers:
    """Sessions at their first cart, with what was known then; a visitor's sessions are one group."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        records = [r for r in csv.DictReader(file) if r["cutoff_k"] == "0"]
    named = [name for name in records[0] if name not in ("session_key", "visitorid", "cutoff_k", "y")]
    rows = np.array([[float(r[name] or 0.0) for name in named] for r in records])
    _, groups = np.unique([r["visitorid"] for r in records], return_inverse=True)
    return Shoppers(
        np.sign(rows) * np.log1p(np.abs(rows)), np.array([float(r["y"]) for r in records]), np.asarray(groups)
    )


def table(paths: Sequence[Path], outcome: str) -> list[Shoppers]:
    """Any CSV files of the same columns: numbers as they are, what is no number as one column a value of the first."""
    files = []
    for path in paths:
        with path.open(newline="", encoding="utf-8-sig") as file:
            text = file.read()
        first = text.partition("\n")[0]
        files.append(list(csv.DictReader(text.splitlines(), delimiter=max(",;\t", key=first.count))))
    if not files[0] or outcome not in files[0][0]:
        raise SystemExit(f"{paths[0]} has no column {outcome!r}: name the outcome with --outcome.")
    columns: list[list[Floats]] = [[] for _ in files]
    for name in files[0][0]:
        if name == outcome:
            continue
        try:
            made = [np.array([float(r[name] or 0.0) for r in records]) for records in files]
        except ValueError:
            known, counts = np.unique([r[name] for r in files[0]], return_counts=True)
            if len(known) > 50:
                continue  # a name of its own in each row says nothing of the next
            for one in known[counts >= 2]:
                for into, records in zip(columns, files, strict=True):
                    into.append(np.array([float(r[name] == one) for r in records]))
            continue
        for into, column in zip(columns, made, strict=True):
            into.append(column)
    yes = {"1", "1.0", "true", "TRUE", "True", "yes", "Yes"}
    return [
        Shoppers(np.column_stack(into), np.array([float(r[outcome] in yes) for r in records]), np.arange(len(records)))
        for into, records in zip(columns, files, strict=True)
    ]
