"""How long a decision and an update take, beside Vowpal Wabbit and MABWiser in the same call.

`python -m bench.decide [--long] [--json]`. Thread CPU time of one call: the full probability vector over the eligible
actions and the draw; then one outcome learned; then two workers' sums merged.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from mabwiser.mab import MAB, LearningPolicy
from numpy.typing import NDArray

from bench.learners import VowpalWabbit
from bench.report import Figure, report
from bench.worlds import world
from insights.policies.draw import draw, uniform
from insights.policies.policy import Explorer, Policy, Settings
from insights.policies.sums import Sums

Floats = NDArray[np.float64]
TRAINED = 2_000


def timed(call: Callable[[int], object], calls: int) -> list[float]:
    """Microseconds of this thread's processor time for each of so many calls."""
    took = []
    for number in range(calls):
        started = time.thread_time_ns()
        call(number)
        took.append((time.thread_time_ns() - started) / 1000)
    return sorted(took)


def at(times: list[float], share: float) -> float:
    """The time that ``share`` of the calls kept below."""
    return round(times[min(len(times) - 1, int(len(times) * share))], 1)


def trained(arms: int, rows: Floats, rewards: Floats) -> Sums:
    """Sums of outcomes of every arm."""
    sums = Sums.empty(arms, rows.shape[1])
    for number, row in enumerate(rows[:TRAINED]):
        sums.add(number % arms, row, float(rewards[number, number % arms]))
    return sums


def ours(arms: int, rows: Floats, rewards: Floats, calls: int, explorer: Explorer) -> list[float]:
    """A decision: eligible arms out of all, their probabilities, a keyed draw."""
    policy = Policy.of(trained(arms, rows, rewards), Settings(explorer=explorer))
    eligible = [True] * arms

    def decide(number: int) -> int:
        open_to = [arm for arm, may in enumerate(eligible) if may]
        chances = policy.probabilities(rows[number % len(rows)], open_to)
        return open_to[draw(chances.tolist(), uniform(b"key", "decision", str(number)))]

    timed(decide, 200)
    return timed(decide, calls)


def merging(arms: int, rows: Floats, rewards: Floats) -> float:
    """The largest difference of a probability: all outcomes in one place, against four workers' sums merged."""
    whole = trained(arms, rows, rewards)
    merged = Sums.empty(arms, rows.shape[1])
    for worker in range(4):
        part = Sums.empty(arms, rows.shape[1])
        for number in range(worker, TRAINED, 4):
            part.add(number % arms, rows[number], float(rewards[number, number % arms]))
        merged.merge(Sums.of_bytes(arms, rows.shape[1], part.to_bytes()))
    every = list(range(arms))
    one, four = (Policy.of(sums, Settings()) for sums in (whole, merged))
    return max(
        float(np.abs(one.probabilities(row, every) - four.probabilities(row, every)).max()) for row in rows[:200]
    )


def of_shape(arms: int, features: int, bar: float, calls: int) -> list[Figure]:
    """The figures of one number of actions and features."""
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(TRAINED, features))
    rows[:, 0] = 1.0
    rewards = rows @ rng.normal(size=(features, arms)) + rng.normal(size=(TRAINED, arms))
    peer = VowpalWabbit(arms, features, 1, "--gamma_scale 10 --gamma_exponent 0.5")
    for number in range(TRAINED // 2):
        peer.learn(rows[number], number % arms, 1 / arms, float(rewards[number, number % arms]))
    vw = timed(lambda n: peer.choose(rows[n % TRAINED]), calls)
    vw_learn = timed(lambda n: peer.learn(rows[n % TRAINED], n % arms, 1 / arms, 0.1), calls)
    peer.close()
    mab = MAB(list(range(arms)), LearningPolicy.LinUCB(alpha=1.0))
    mab.fit([n % arms for n in range(TRAINED)], [float(rewards[n, n % arms]) for n in range(TRAINED)], rows)
    wiser = timed(lambda n: mab.predict(rows[n % TRAINED][None, :]), max(200, calls // 25))
    wiser_learn = timed(lambda n: mab.partial_fit([n % arms], [0.1], rows[n % TRAINED][None, :]), max(100, calls // 50))
    square = ours(arms, rows, rewards, calls, Explorer.SQUARE_CB)
    sampled = ours(arms, rows, rewards, calls // 5, Explorer.THOMPSON)
    sums = trained(arms, rows, rewards)
    update = statistics.median(timed(lambda n: sums.add(n % arms, rows[n % TRAINED], 0.1), calls))
    snapshot = timed(lambda n: Policy.of(sums, Settings()), 50)
    shape = f"{arms} actions × {features} features"
    p99 = at(square, 0.99)
    decided = {"vw p50": at(vw, 0.5), "vw p99": at(vw, 0.99), "mabwiser p50": at(wiser, 0.5)}
    learned = {"vw": at(vw_learn, 0.5), "mabwiser": at(wiser_learn, 0.5)}
    return [
        Figure(f"decide, {shape}, p50", at(square, 0.5), "µs", n=calls, peer=decided),
        Figure(f"decide, {shape}, p99", p99, "µs", bar, p99 <= bar, calls),
        Figure(f"decide, {shape}, Thompson, p99", at(sampled, 0.99), "µs", n=calls // 5),
        Figure(f"update, {shape}, p50", round(update, 1), "µs", 50, update <= 50, calls, learned),
        Figure(f"a new snapshot, {shape}, p50", at(snapshot, 0.5), "µs", n=50),
    ]


def main() -> None:
    """Prints the table; with --json the last line is the result."""
    calls = 50_000 if "--long" in sys.argv else 5_000
    figures = [*of_shape(12, 30, 300.0, calls), *of_shape(20, 60, 1000.0, calls)]
    seen = world("lin", TRAINED, 7)
    apart = merging(12, seen.rows, seen.means)
    figures.append(Figure("largest difference of a probability after merging", apart, "", 1e-9, apart <= 1e-9, 200))
    report("decide", figures)


if __name__ == "__main__":
    main()
