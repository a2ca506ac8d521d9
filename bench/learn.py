"""How much of the possible reward a policy earns while it learns, beside Vowpal Wabbit's.

`python -m bench.learn [--long] [--json]`. Three made worlds of 12 actions and 30 features with seeds drawn anew at
every call, and the replay of a real randomised trial (Hillstrom's e-mails): only the steps where the learner wants what
was sent count. Vowpal Wabbit is tuned on another seed of the same world first; it gets the same features as ours.
"""

from __future__ import annotations

import csv
import secrets
import statistics
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.datasets import data_set
from bench.learners import Learner, Ours, VowpalWabbit
from bench.report import Figure, report
from bench.worlds import ARMS, FEATURES, Kind, World, world
from insights.policies.policy import Settings

BARS: dict[Kind, float] = {"lin": 0.02, "int": 0.01, "shift": 0.06}
TUNED_ON = 25_000
VW_GRID = [f"--gamma_scale {scale} --gamma_exponent 0.5 -l {rate}" for scale in (10, 30) for rate in (0.5, 1.5, 3.0)]
"""Around the best of a wider search: rates of .01 to .1, constant rates and flatter exponents were far behind."""
HILLSTROM_BAR = 0.180


def live(learner: Learner, seen: World) -> float:
    """The share of the possible reward that ``learner`` earns while it goes through a world once."""
    earned = 0.0
    for row, means, noise in zip(seen.rows, seen.means, seen.noise, strict=True):
        arm, probability = learner.choose(row)
        mean = float(means[arm])
        earned += mean
        learner.learn(row, arm, probability, mean + float(noise))
    return seen.share(earned / len(seen.rows))


def tuned(kind: Kind, seed: int) -> str:
    """The options of Vowpal Wabbit that earn most in a shorter world of this kind."""
    seen = world(kind, TUNED_ON, seed)

    def score(options: str) -> float:
        learner = VowpalWabbit(ARMS, FEATURES, 1, options)
        share = live(learner, seen)
        learner.close()
        return share

    return max(VW_GRID, key=score)


def worlds(seeds: list[int], steps: int) -> list[Figure]:
    """Our share and our lead in each world."""
    figures = []
    for kind, bar in BARS.items():
        options = tuned(kind, secrets.randbelow(1 << 30))
        ours, theirs = [], []
        for seed in seeds:
            seen = world(kind, steps, seed)
            ours.append(live(Ours(ARMS, FEATURES, seed, Settings()), seen))
            peer = VowpalWabbit(ARMS, FEATURES, seed, options)
            theirs.append(live(peer, seen))
            peer.close()
        lead = statistics.median(a - b for a, b in zip(ours, theirs, strict=True))
        share, peers = round(statistics.median(ours), 4), {"vw squarecb": round(statistics.median(theirs), 4)}
        figures.append(Figure(f"{kind}: share of the possible reward", share, "", n=steps * len(seeds), peer=peers))
        figures.append(Figure(f"{kind}: lead over tuned VW", round(lead, 4), "", bar, lead >= bar, len(seeds)))
    return figures


def hillstrom(path: Path, seeds: list[int]) -> list[Figure]:
    """Visits per e-mail decision, by replay of 64,000 randomised ones in shuffled order."""
    rows, arms, visits = _hillstrom_rows(path)
    ours, theirs = [], []
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(rows))
        ours.append(_replay(Ours(3, rows.shape[1], seed, Settings()), rows, arms, visits, order))
        peer = VowpalWabbit(3, rows.shape[1], seed, "--gamma_scale 10 --gamma_exponent 0.5")
        theirs.append(_replay(peer, rows, arms, visits, order))
        peer.close()
    rate = statistics.median(ours)
    peers = {"random": round(float(visits.mean()), 4), "vw squarecb": round(statistics.median(theirs), 4)}
    peers["always men's"] = round(float(visits[arms == 1].mean()), 4)
    return [
        Figure(
            "Hillstrom replay, visit rate", round(rate, 4), "", HILLSTROM_BAR, rate >= HILLSTROM_BAR, len(rows), peers
        )
    ]


def _replay(
    learner: Learner, rows: NDArray[np.float64], arms: NDArray[np.int64], visits: NDArray[np.float64], order: object
) -> float:
    matched, rewarded = 0, 0.0
    for step in np.asarray(order):
        arm, probability = learner.choose(rows[step])
        if arm == arms[step]:
            matched += 1
            rewarded += float(visits[step])
            learner.learn(rows[step], arm, probability, float(visits[step]))
    return rewarded / matched


def _hillstrom_rows(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    with path.open(newline="") as file:
        records = list(csv.DictReader(file))
    sent = {"No E-Mail": 0, "Mens E-Mail": 1, "Womens E-Mail": 2}
    rows = [
        [
            1.0,
            float(r["recency"]) / 12,
            np.log1p(float(r["history"])) / 8,
            float(r["mens"]),
            float(r["womens"]),
            float(r["newbie"]),
            *(float(r["zip_code"] == zip_code) for zip_code in ("Urban", "Rural")),
            *(float(r["channel"] == channel) for channel in ("Web", "Phone")),
        ]
        for r in records
    ]
    return (
        np.array(rows),
        np.array([sent[r["treatment"]] for r in records]),
        np.array([float(r["visit"]) for r in records]),
    )


def main() -> None:
    """Prints the table; with --json the last line is the result."""
    long = "--long" in sys.argv
    seeds = [secrets.randbelow(1 << 30) for _ in range(5 if long else 1)]
    figures = worlds(seeds, 100_000)
    path = data_set("hillstrom.csv")
    if path is None:
        figures.append(Figure("Hillstrom replay, visit rate", None, "hillstrom.csv is not there", HILLSTROM_BAR))
    else:
        figures += hillstrom(path, seeds * (1 if long else 3))
    report("learn", figures)


if __name__ == "__main__":
    main()
