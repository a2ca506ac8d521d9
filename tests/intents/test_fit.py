"""The fit finds curves and what columns do together; its calibration maps; the area under the curve is what it says."""

from __future__ import annotations

import numpy as np
import pytest

from insights.intents.additive import Additive, Curve, ModelInvalid, Table
from insights.intents.boosting import COLUMNS
from insights.intents.fit import FitSettings, auc, fit, knots_of, log_odds_of, platt
from insights.policies.sums import Floats


def predict(model: Additive, rows: Floats) -> Floats:
    shares: Floats = 1 / (1 + np.exp(-log_odds_of(model, rows)))
    return shares


def test_a_bent_curve_is_found() -> None:
    rng = np.random.default_rng(1)
    rows = rng.uniform(-2, 2, (6_000, 2))
    truth = 2 * np.abs(rows[:, 0]) - 2
    outcomes = (rng.uniform(size=6_000) < 1 / (1 + np.exp(-truth))).astype(float)
    model = fit(rows, outcomes, FitSettings())
    assert float(np.abs(log_odds_of(model, rows) - truth).mean()) < 0.2
    assert all(abs(value) < 0.5 for value in model.curves[1].values)


def test_tables_find_what_two_columns_say_only_together() -> None:
    rng = np.random.default_rng(2)
    rows = rng.choice([0.0, 1.0], (4_000, 5))
    outcomes = (rng.uniform(size=4_000) < np.where(rows[:, 1] == rows[:, 3], 0.8, 0.2)).astype(float)
    alone, together = fit(rows, outcomes, FitSettings()), fit(rows, outcomes, FitSettings(tables=40))
    without, with_tables = auc(predict(alone, rows), outcomes), auc(predict(together, rows), outcomes)
    assert without is not None and with_tables is not None
    assert without < 0.56 and with_tables > 0.78
    assert all(len(table.columns) <= COLUMNS for table in together.tables)
    assert together == fit(rows, outcomes, FitSettings(tables=40))


def test_tables_learn_from_a_part_of_many_rows_what_all_of_them_say(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    rows = np.column_stack([rng.exponential(size=(9_000, 4)), np.full(9_000, 3.0)])
    outcomes = (rng.uniform(size=9_000) < np.where((rows[:, 0] > 1) & (rows[:, 2] < 0.5), 0.7, 0.1)).astype(float)
    every = predict(fit(rows, outcomes, FitSettings(tables=60)), rows)
    monkeypatch.setattr("insights.intents.boosting.MOST_ROWS", 3_000)
    some = predict(fit(rows, outcomes, FitSettings(tables=60)), rows)
    assert float(np.abs(every - some).mean()) < 0.03
    assert float(some.mean()) == pytest.approx(float(outcomes.mean()), abs=0.01)
    weights = np.where(outcomes > 0.5, 3.0, 1.0)
    heavier = predict(fit(rows, outcomes, FitSettings(tables=60), weights), rows)
    assert float(np.average(heavier, weights=weights)) == pytest.approx(
        float(np.average(outcomes, weights=weights)), abs=0.02
    )


def test_one_row_and_many_rows_get_the_same_log_odds() -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(500, 3))
    outcomes = (rows[:, 0] > rows[:, 1]).astype(float)
    for model in (fit(rows, outcomes, FitSettings()), fit(rows, outcomes, FitSettings(tables=20))):
        for row, expected in zip(rows[:50], map(float, log_odds_of(model, rows)), strict=False):
            assert model.log_odds(tuple(row)) == pytest.approx(expected)
            assert model.from_zero().log_odds(tuple(row)) == pytest.approx(expected)
            assert model.mapped(0.5, 1.0).log_odds(tuple(row)) == pytest.approx(0.5 * expected + 1.0)


def test_a_rare_outcome_does_not_lead_the_fit_astray() -> None:
    rng = np.random.default_rng(6)
    rows = np.column_stack([rng.exponential(size=(2_000, 3)), (rng.uniform(size=2_000) < 0.003).astype(float)])
    outcomes = (rng.uniform(size=2_000) < np.where(rows[:, 0] > 3, 0.6, 0.002)).astype(float)
    model = fit(rows, outcomes, FitSettings(ridge=0.01, bend=0.01))
    found = auc(predict(model, rows), outcomes)
    assert found is not None and found > 0.9
    assert float(predict(model, rows).mean()) == pytest.approx(float(outcomes.mean()), rel=0.01)


def test_platt_takes_back_what_is_too_sure() -> None:
    rng = np.random.default_rng(4)
    true = rng.normal(size=20_000)
    outcomes = (rng.uniform(size=20_000) < 1 / (1 + np.exp(-true))).astype(float)
    slope, shift = platt(2 * true + 1, outcomes)
    assert (slope, shift) == (pytest.approx(0.5, abs=0.05), pytest.approx(-0.5, abs=0.1))
    assert platt(true, np.ones(20_000)) == (1.0, 0.0)


def test_the_area_under_the_curve_counts_ties_as_half() -> None:
    assert auc(np.array([0.1, 0.2, 0.3]), np.array([0.0, 1.0, 1.0])) == 1.0
    assert auc(np.array([0.5, 0.5]), np.array([0.0, 1.0])) == 0.5
    assert auc(np.array([0.5, 0.5]), np.array([1.0, 1.0])) is None


def test_a_column_that_never_varies_gets_no_curve_and_what_cannot_be_learned_is_refused() -> None:
    assert list(knots_of(np.zeros(10), 9)) == [0.0]
    rows = np.column_stack([np.zeros(40), np.arange(40.0)])
    assert [c.column for c in fit(rows, (rows[:, 1] > 20).astype(float), FitSettings()).curves] == [1]
    by_tables = fit(rows, (rows[:, 1] > 20).astype(float), FitSettings(tables=5))
    assert {column for table in by_tables.tables for column in table.columns} == {1}
    assert fit(np.zeros((40, 2)), (rows[:, 1] > 20).astype(float), FitSettings(tables=5)).tables == ()
    with pytest.raises(ValueError, match="all outcomes are the same"):
        fit(rows, np.ones(40), FitSettings())
    with pytest.raises(ValueError, match="finite"):
        fit(rows * np.nan, np.ones(40), FitSettings())


def test_a_model_is_stored_by_the_names_of_its_columns_and_nonsense_is_refused() -> None:
    model = Additive(0.5, (Curve(1, (0.0, 1.0), (0.0, 2.0)),), (Table((0, 1), ((0.5,), ()), (1.0, 2.0)),))
    stored = model.as_dict(["a", "b"])
    assert Additive.of(stored, ["b", "a"]).log_odds((0.5, 1.0)) == model.log_odds((1.0, 0.5))
    for wrong in (
        {},
        stored | {"bias": float("nan")},
        stored | {"curves": [{"of": "c", "knots": [0, 1], "values": [0, 1]}]},
        stored | {"curves": [{"of": "a", "knots": [1, 0], "values": [0, 1]}]},
        stored | {"tables": [{"of": ["a", "b"], "edges": [[0.5], []], "values": [1.0]}]},
        stored | {"tables": [{"of": ["a", "b"], "edges": [[0.5]], "values": [1.0, 2.0]}]},
        stored | {"tables": [{"of": ["a"], "edges": [[0.5, 0.1]], "values": [1.0, 2.0, 3.0]}]},
    ):
        with pytest.raises(ModelInvalid):
            Additive.of(wrong, ["a", "b"])
