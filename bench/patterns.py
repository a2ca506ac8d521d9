"""How often a change is seen that is none, and how soon one that is: simulated months with hourly looks.

20 pages × 13 reasons. Sessions arrive by chance, at 5 or 20 an hour and page, and the reasons of an hour come in bursts
(Dirichlet-multinomial, correlation .05 within an hour; once more at .1, without a bar). Months without any change count
false alerts; months in which one reason of one page goes from 12 % to 41 % give the delay. Beside the product, on the
same sessions: a z-test of every cell, and Benjamini-Hochberg over plain binomial p-values, each alone.

`python -m bench.patterns [--months N] [--json]`; about 15 s a month.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from statistics import median

import numpy as np
from scipy.stats import binom, false_discovery_control, norm

from bench.report import Figure, report
from insights.reports.changes import USUAL, Counts, Floats, Mask, look

PAGES, REASONS = 20, 13
CORRELATION, BURSTY = 0.05, 0.1
DAYS = 30
LEVEL = 0.05
DETECTORS = ("whyleft", "z", "bh")


@dataclass(frozen=True, slots=True)
class Month:
    """Alerts by detector: hour, page and reason of each."""

    alerts: dict[str, list[tuple[int, int, int]]]
    hours: int
    look_seconds: float


def simulate(
    rng: np.random.Generator, rate: float, hours: int, changed_at: int | None, correlation: float = CORRELATION
) -> Counts:
    """Sessions by page, reason and hour. From ``changed_at`` on, reason 0 of page 0 has a share of .41, not .12."""
    mixes = rng.dirichlet(np.full(REASONS, 3.0), size=PAGES)
    mixes[0] = np.concatenate([[0.12], 0.88 * mixes[0, 1:] / mixes[0, 1:].sum()])
    after = mixes[0].copy()
    after[0], after[1:] = 0.41, after[1:] * 0.59 / 0.88
    sessions = rng.poisson(rate, size=(PAGES, hours))
    named = np.zeros((PAGES, REASONS, hours))
    concentration = 1 / correlation - 1
    for page in range(PAGES):
        for hour in range(hours):
            mix = after if page == 0 and changed_at is not None and hour >= changed_at else mixes[page]
            named[page, :, hour] = rng.multinomial(sessions[page, hour], rng.dirichlet(concentration * mix))
    return Counts(sessions.astype(float), named)


def watch(counts: Counts, first: int) -> Month:
    """Looks every hour from ``first`` on, with each detector; a cell that is alerted is quiet until it has rested."""
    hours = counts.sessions.shape[1]
    alerts: dict[str, list[tuple[int, int, int]]] = {name: [] for name in DETECTORS}
    standing = {name: np.zeros((PAGES, REASONS), dtype=bool) for name in DETECTORS}
    recent: list[Mask] = []
    took = 0.0
    for hour in range(first, hours):
        until = Counts(*(part[..., hour - USUAL.hours : hour] for part in (counts.sessions, counts.named)))
        began = time.perf_counter()
        seen = look(until)
        took += time.perf_counter() - began
        rises = seen.now > seen.before
        recent = [*recent, np.where(seen.stands_out, np.where(rises, 1, -1), 0)][-USUAL.hold - 1 :]
        held = (recent[0] != 0) & np.all([one == recent[0] for one in recent], axis=0) & (len(recent) > USUAL.hold)
        naive, adjusted = peers(until)
        for name, mask in (("whyleft", held), ("z", naive), ("bh", adjusted)):
            alerts[name] += [(hour, int(page), int(reason)) for page, reason in np.argwhere(mask & ~standing[name])]
            standing[name] = mask
    return Month(alerts, hours - first, took / (hours - first))


def peers(counts: Counts) -> tuple[Mask, Mask]:
    """What a z-test at 5 % of each cell would say, and Benjamini-Hochberg at 5 % over binomial p-values: the last 24
    hours against the 14 days before, every session counting alike."""
    now_n = counts.sessions[:, -USUAL.recent :].sum(axis=1)[:, None]
    now = counts.named[:, :, -USUAL.recent :].sum(axis=2)
    before_n = counts.sessions[:, : -USUAL.recent].sum(axis=1)[:, None]
    share = counts.named[:, :, : -USUAL.recent].sum(axis=2) / before_n
    error = np.sqrt(np.maximum(share * (1 - share), 1e-9) / now_n)
    naive: Mask = 2 * norm.sf(np.abs(now / now_n - share) / error) < LEVEL
    p_values: Floats = np.minimum(1.0, 2 * np.minimum(binom.cdf(now, now_n, share), binom.sf(now - 1, now_n, share)))
    adjusted: Mask = false_discovery_control(p_values.ravel()).reshape(p_values.shape) < LEVEL
    return naive, adjusted


def quiet(rate: float, months: int, seed: int, correlation: float = CORRELATION) -> tuple[dict[str, float], float]:
    """False alerts a day by detector, and the seconds a look took, over months without a change."""
    counted = dict.fromkeys(DETECTORS, 0)
    seconds = []
    for month in range(months):
        rng = np.random.default_rng([seed, month, int(rate)])
        seen = watch(simulate(rng, rate, USUAL.hours + DAYS * 24, None, correlation), USUAL.hours)
        for name in DETECTORS:
            counted[name] += len(seen.alerts[name])
        seconds.append(seen.look_seconds)
    return {name: count / (months * DAYS) for name, count in counted.items()}, median(seconds)


def delays(rate: float, trials: int, seed: int, correlation: float = CORRELATION) -> dict[str, list[float]]:
    """Hours from a change to its first alert, by detector; three days without one count as 72."""
    found: dict[str, list[float]] = {name: [] for name in DETECTORS}
    for trial in range(trials):
        rng = np.random.default_rng([seed, trial, int(rate)])
        changed_at = USUAL.hours + 12
        seen = watch(simulate(rng, rate, changed_at + 72, changed_at, correlation), changed_at)
        for name in DETECTORS:
            first = [hour - changed_at for hour, page, reason in seen.alerts[name] if (page, reason) == (0, 0)]
            found[name].append(min(first, default=72))
    return found


def main() -> None:
    months = int(sys.argv[sys.argv.index("--months") + 1]) if "--months" in sys.argv else 3
    trials = 10 * months
    figures = []
    for rate, bar in ((5, 14), (20, 10)):
        false, seconds = quiet(rate, months, seed=1)
        mine = false["whyleft"]
        peer = {f"{name} alone": round(false[name], 1) for name in DETECTORS[1:]}
        figures.append(
            Figure(f"patterns.false.{rate}", mine, "false alerts a day", 0.1, mine <= 0.1, months * DAYS, peer)
        )
        waited = delays(rate, trials, seed=2)
        mine = median(waited["whyleft"])
        peer = {f"{name} alone": median(waited[name]) for name in DETECTORS[1:]}
        figures.append(Figure(f"patterns.delay.{rate}", mine, "hours, median", bar, mine <= bar, trials, peer))
        late = float(np.quantile(waited["whyleft"], 0.9))
        figures.append(Figure(f"patterns.delay_p90.{rate}", late, "hours, nine in ten", n=trials))
        missed = sum(hours >= 72 for hours in waited["whyleft"])
        figures.append(Figure(f"patterns.missed.{rate}", missed, "changes not seen in 3 days", n=trials))
        figures.append(Figure(f"patterns.look.{rate}", round(1000 * seconds, 2), "ms a look over 260 cells, median"))
        false, _ = quiet(rate, months, seed=3, correlation=BURSTY)
        bursty = {f"{name} alone": round(false[name], 1) for name in DETECTORS[1:]}
        figures.append(
            Figure(
                f"patterns.false.{rate}.bursty", false["whyleft"], "false alerts a day", n=months * DAYS, peer=bursty
            )
        )
        waited = delays(rate, trials, seed=4, correlation=BURSTY)
        figures.append(Figure(f"patterns.delay.{rate}.bursty", median(waited["whyleft"]), "hours, median", n=trials))
    report("patterns", figures)


if __name__ == "__main__":
    main()
