"""Our learner and its peers behind one shape: choose an action for a row, then hear what it earned."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from insights.policies.draw import draw
from insights.policies.memory import BUCKET, Memory
from insights.policies.policy import Policy, Settings
from insights.policies.sums import Sums

Floats = NDArray[np.float64]


class Learner(Protocol):
    """Chooses and learns, one visitor at a time."""

    def choose(self, row: Floats) -> tuple[int, float]:
        """An action and the probability that it had."""

    def learn(self, row: Floats, arm: int, probability: float, reward: float) -> None:
        """What the action earned."""


class Ours:
    """The product's policy, refreshed within a bucket of outcomes as well as at its end, as workers do."""

    def __init__(self, arms: int, features: int, seed: int, settings: Settings) -> None:
        self._shape = arms, features
        self._memory = Memory(arms, features, settings.ridge, settings.pool)
        self._bucket = Sums.empty(arms, features)
        self._settings = settings
        self._rng = np.random.default_rng(seed)
        self._every = list(range(arms))
        self._seen = 0
        self._next = 20
        self._policy = Policy.of(self._bucket, settings)

    def choose(self, row: Floats) -> tuple[int, float]:
        """Draws from the exact probabilities."""
        probabilities = self._policy.probabilities(row, self._every)
        arm = draw(probabilities.tolist(), self._rng.random())
        return arm, float(probabilities[arm])

    def learn(self, row: Floats, arm: int, probability: float, reward: float) -> None:
        """Adds to the sums; a new snapshot now and then, sooner in the beginning."""
        self._bucket.add(arm, row, reward)
        self._seen += 1
        if self._seen % BUCKET == 0:
            self._memory.observe(self._bucket)
            self._bucket = Sums.empty(*self._shape)
        if self._seen >= self._next:
            self._next += min(BUCKET, max(20, self._seen // 10))
            self._policy = Policy.of(self._memory.best(self._bucket), self._settings)


class VowpalWabbit:
    """Vowpal Wabbit's SquareCB over the same features, without interactions, as ours are."""

    def __init__(self, arms: int, features: int, seed: int, options: str) -> None:
        from vowpalwabbit import Workspace

        self._vw = Workspace(
            f"--cb_explore {arms} --squarecb --random_seed {seed} --noconstant --quiet {options}", enable_logging=False
        )
        self._rng = np.random.default_rng(seed)
        self._names = [f"f{n}" for n in range(features)]

    def _text(self, row: Floats) -> str:
        return " ".join(f"{name}:{value:.6g}" for name, value in zip(self._names, row, strict=True))

    def choose(self, row: Floats) -> tuple[int, float]:
        """Draws from its probabilities."""
        probabilities = self._vw.predict(f"| {self._text(row)}")
        arm = draw(probabilities, self._rng.random())
        return arm, float(probabilities[arm])

    def learn(self, row: Floats, arm: int, probability: float, reward: float) -> None:
        """Costs are rewards turned round."""
        self._vw.learn(f"{arm + 1}:{-reward}:{probability} | {self._text(row)}")

    def close(self) -> None:
        """Frees it."""
        self._vw.finish()
