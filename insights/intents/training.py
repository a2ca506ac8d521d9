"""Trains an intent model and judges it on sessions later than all it learned from. Pure.

The sessions in order of time: the first 60 % are learned from, the next 15 % calibrate, the last 25 % judge. A score is
taken over from the new model only where it foretells those last sessions better than the model before, by more than
chance; every other score stays what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from insights.intents.additive import Additive, Curve
from insights.intents.examples import MEANING, SEEN, Example
from insights.intents.features import FEATURES
from insights.intents.fit import FitSettings, Floats, Whole, auc, best_settings, fit, log_odds_of, platt
from insights.intents.model import PRIOR, SCORES, IntentModel

LEARN: Final = 0.60
CALIBRATE: Final = 0.75
FEWEST: Final = 50
"""Sessions with, and sessions without the outcome that a score needs to be learned; a fifth of it to be judged."""
ROUNDING: Final = 1e-9
"""Of a log loss a session: what two models that say the same may differ by: sums depend on their order."""
BINS: Final = 10
CHOICES: Final = (
    FitSettings(knots=6, bend=3.0, ridge=1.0),
    FitSettings(knots=6, bend=3.0, ridge=10.0),
    FitSettings(tables=60),
    FitSettings(tables=250),
)
"""What a score may be learned by: which of them is decided by what foretells best within the sessions learned from."""


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of the calibration plot: what was foretold on average, what came true, of how many rows."""

    foretold: float
    came_true: float
    rows: int


@dataclass(frozen=True, slots=True)
class Judged:
    """One score on the sessions that judge. Losses are log losses a session, ``better`` the gain over the model before
    with a 95 % interval. ``by_seen``: (from, to) events seen → (AUC or None, rows)."""

    score: str
    outcome: str
    sessions: int
    positives: int
    auc: float | None
    auc_before: float | None
    loss: float
    loss_before: float
    better: tuple[float, float, float]
    by_seen: tuple[tuple[int, int, float | None, int], ...]
    bins: tuple[Bin, ...]
    bins_before: tuple[Bin, ...]
    slope: float
    settings: FitSettings

    @property
    def wins(self) -> bool:
        """Better by more than chance, and than what rounding makes of two that are the same."""
        return self.better[1] > ROUNDING


@dataclass(frozen=True, slots=True)
class Trained:
    """``model`` is named by whoever stores it. ``untrained``: score → why it stays what it was."""

    parts: dict[str, Additive]
    judged: tuple[Judged, ...]
    untrained: dict[str, str]
    sessions: int
    rows: int

    @property
    def wins(self) -> bool:
        """At least one score is better than before."""
        return any(one.wins for one in self.judged)

    def model(self, name: str, before: IntentModel) -> IntentModel:
        """The scores that win, and those of the model before."""
        won = {one.score for one in self.judged if one.wins}
        parts = {score: self.parts[score] if score in won else before.parts[score] for score in SCORES}
        return IntentModel(name, parts, [s for s in SCORES if s in won or s in before.learned])


@dataclass(frozen=True, slots=True)
class _Data:
    rows: Floats
    outcomes: Floats
    session: Whole
    seen: Whole
    weight: Floats
    """Each session counts once, however long it is."""


def train(examples: Sequence[Example], before: IntentModel, choices: Sequence[FitSettings] = CHOICES) -> Trained:
    """Learns the three scores from ``examples`` of any order."""
    ordered = sorted(examples, key=lambda e: (e.at_ms, e.session, e.seen))
    sessions = list(dict.fromkeys(e.session for e in ordered))
    place = {session: number for number, session in enumerate(sessions)}
    session = np.array([place[e.session] for e in ordered], dtype=np.int64)
    parts: dict[str, Additive] = {}
    judged: list[Judged] = []
    untrained: dict[str, str] = {}
    weight = 1.0 / np.bincount(session)[session] if len(session) else np.zeros(0)
    rows = np.array([e.row for e in ordered]).reshape(len(ordered), len(FEATURES))
    seen = np.array([e.seen for e in ordered], dtype=np.int64)
    for number, score in enumerate(SCORES):
        outcomes = np.array([e.outcomes[number] for e in ordered], dtype=np.float64)
        data = _Data(rows, outcomes, session, seen, weight)
        learn, calibrate, judge = _split(data, len(sessions))
        if (why := _too_little(score, learn, FEWEST) or _too_little(score, judge, FEWEST // 5)) is not None:
            untrained[score] = why
            continue
        part, settings, slope = _fitted(score, learn, calibrate, choices)
        parts[score] = part
        judged.append(_judge(score, part, before.parts[score], judge, settings, slope))
    return Trained(parts, tuple(judged), untrained, len(sessions), len(ordered))


def _split(data: _Data, sessions: int) -> tuple[_Data, _Data, _Data]:
    edges = (0, int(sessions * LEARN), int(sessions * CALIBRATE), sessions)
    parts = []
    for low, high in pairwise(edges):
        own = (data.session >= low) & (data.session < high)
        parts.append(_Data(data.rows[own], data.outcomes[own], data.session[own], data.seen[own], data.weight[own]))
    return parts[0], parts[1], parts[2]


def _too_little(score: str, data: _Data, fewest: int) -> str | None:
    with_it = len(np.unique(data.session[data.outcomes > 0.5]))
    without = len(np.unique(data.session[data.outcomes < 0.5]))
    if min(with_it, without) >= fewest:
        return None
    return f"{with_it} visits in which {MEANING[score]} and {without} others; at least {fewest} of each are needed"


def _fitted(
    score: str, learn: _Data, calibrate: _Data, choices: Sequence[FitSettings]
) -> tuple[Additive, FitSettings, float]:
    # Five stretches of time: who foretells the next weeks must not have learned from them.
    folds = (learn.session * 5) // (int(learn.session.max()) + 1)
    settings = best_settings(learn.rows, learn.outcomes, folds, choices, learn.weight)
    part = fit(learn.rows, learn.outcomes, settings, learn.weight)
    slope, shift = platt(log_odds_of(part, calibrate.rows), calibrate.outcomes, calibrate.weight)
    return _with_priors_word(score, part.mapped(slope, shift), learn.rows), settings, slope


def _with_priors_word(score: str, part: Additive, rows: Floats) -> Additive:
    """What these sessions never showed (a silence, a signal the shop does not send yet) keeps the prior's weight."""
    never = {column for column in range(rows.shape[1]) if not rows[:, column].any()}
    kept: tuple[Curve, ...] = tuple(c for c in PRIOR.parts[score].curves if c.column in never)
    return Additive(part.bias, (*part.curves, *kept), part.tables)


def _judge(score: str, part: Additive, before: Additive, judge: _Data, settings: FitSettings, slope: float) -> Judged:
    new, old = log_odds_of(part, judge.rows), log_odds_of(before, judge.rows)
    gains = _by_session(judge, _losses(old, judge.outcomes) - _losses(new, judge.outcomes))
    gain, error = float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains)))
    by_seen = []
    for low, high in SEEN:
        own = (judge.seen >= low) & (judge.seen <= high)
        by_seen.append((low, high, auc(new[own], judge.outcomes[own]), int(own.sum())))
    return Judged(
        score=score,
        outcome=MEANING[score],
        sessions=len(gains),
        positives=len(np.unique(judge.session[judge.outcomes > 0.5])),
        auc=auc(new, judge.outcomes),
        auc_before=auc(old, judge.outcomes),
        loss=float(_by_session(judge, _losses(new, judge.outcomes)).mean()),
        loss_before=float(_by_session(judge, _losses(old, judge.outcomes)).mean()),
        better=(gain, gain - 1.96 * error, gain + 1.96 * error),
        by_seen=tuple(by_seen),
        bins=_bins(new, judge),
        bins_before=_bins(old, judge),
        slope=slope,
        settings=settings,
    )


def _losses(log_odds: Floats, outcomes: Floats) -> Floats:
    losses: Floats = np.logaddexp(0.0, log_odds) - outcomes * log_odds
    return losses


def _by_session(data: _Data, values: Floats) -> Floats:
    """The mean of each session: rows of one visit are no separate news."""
    _, own = np.unique(data.session, return_inverse=True)
    means: Floats = np.bincount(own, values) / np.bincount(own)
    return means


def _bins(log_odds: Floats, data: _Data) -> tuple[Bin, ...]:
    """Up to ten bins of about as many rows each, by what was foretold. Rows of which the same was foretold stay
    together: parted, they would differ by chance alone, and that would count as error."""
    chance = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -30, 30)))
    order = np.argsort(chance, kind="stable")
    # Rows that are alike may differ in the last digits of a sum.
    foretold = chance[order].round(9)
    cuts = np.searchsorted(foretold, [foretold[len(foretold) * cut // BINS] for cut in range(1, BINS) if len(foretold)])
    found = []
    for part in np.split(order, np.unique(cuts).astype(int)):
        if len(part):
            weight = data.weight[part]
            found.append(
                Bin(
                    float(np.average(chance[part], weights=weight)),
                    float(np.average(data.outcomes[part], weights=weight)),
                    len(part),
                )
            )
    return tuple(found)


def calibration_error(bins: Sequence[Bin]) -> float:
    """The mean distance between what was foretold and what came true, by rows."""
    rows = sum(b.rows for b in bins)
    return sum(abs(b.foretold - b.came_true) * b.rows for b in bins) / rows if rows else 0.0


def report(trained: Trained) -> dict[str, Any]:
    """What is stored with a model and printed with ``--json``."""
    return {
        "sessions": trained.sessions,
        "rows": trained.rows,
        "untrained": trained.untrained,
        "scores": [
            {
                "score": one.score,
                "outcome": one.outcome,
                "judged_on_sessions": one.sessions,
                "with_the_outcome": one.positives,
                "auc": one.auc,
                "auc_before": one.auc_before,
                "log_loss": one.loss,
                "log_loss_before": one.loss_before,
                "better_by": {"mean": one.better[0], "low": one.better[1], "high": one.better[2]},
                "wins": one.wins,
                "auc_by_events_seen": [
                    {"from": low, "to": high, "auc": value, "rows": rows} for low, high, value, rows in one.by_seen
                ],
                "calibration": [[b.foretold, b.came_true, b.rows] for b in one.bins],
                "calibration_error": calibration_error(one.bins),
                "calibration_before": [[b.foretold, b.came_true, b.rows] for b in one.bins_before],
                "calibration_error_before": calibration_error(one.bins_before),
                "platt_slope": one.slope,
                "settings": {"ridge": one.settings.ridge, "tables": one.settings.tables, "knots": one.settings.knots},
            }
            for one in trained.judged
        ],
    }
