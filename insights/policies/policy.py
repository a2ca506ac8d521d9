"""A policy: what was learned up to a moment, frozen, and the probabilities that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final

import numpy as np

from insights.policies.exploration import at_least, square_cb, thompson
from insights.policies.ridge import Estimates, estimate
from insights.policies.sums import Floats, Sums

FLOOR: Final = 0.0005
THIN: Final = 1_000.0
"""So many outcomes weigh as much as the rules do."""
CURIOUS: Final = 0.1
"""The policy's least say: without any, it would never see what the rules do not do."""


class Explorer(StrEnum):
    """How a policy looks for what it does not know."""

    SQUARE_CB = "square_cb"
    THOMPSON = "thompson"


@dataclass(frozen=True, slots=True)
class Settings:
    """``gamma``, ``gamma_power``: SquareCB's steepness is gamma · n^gamma_power / noise deviation, after n outcomes.

    ``ridge`` and ``pool``: see ``estimate``.
    """

    explorer: Explorer = Explorer.SQUARE_CB
    gamma: float = 16.0
    gamma_power: float = 0.5
    ridge: float = 1.0
    pool: float = 4.0
    floor: float = FLOOR

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Settings as they were stored; what is missing has its default. Raises ValueError naming what is unknown."""
        known = {entry.name for entry in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"{unknown[0]}: no such setting of a policy")
        given = dict(values)
        if "explorer" in given:
            given["explorer"] = Explorer(given["explorer"])
        return cls(**given)


@dataclass(frozen=True, slots=True)
class Policy:
    """Immutable: a newer one takes its place as a whole."""

    estimates: Estimates
    settings: Settings
    gamma: float
    experience: float

    @classmethod
    def of(cls, sums: Sums, settings: Settings) -> Policy:
        """The policy that follows from ``sums``."""
        estimates = estimate(sums, ridge=settings.ridge, pool=settings.pool)
        n = float(sums.n.sum())
        typical = float(np.sqrt(np.average(estimates.noise, weights=sums.n + 1e-9)))
        gamma = settings.gamma * (n + 1.0) ** settings.gamma_power / max(typical, 1e-9)
        return cls(estimates, settings, gamma, n)

    def probabilities(self, row: Floats, eligible: list[int]) -> Floats:
        """The chance (m,) of each of the m ``eligible`` arms (indices) for one row of features; sums to 1."""
        expected = self.estimates.expected(row)[eligible]
        if self.settings.explorer is Explorer.THOMPSON:
            chances = thompson(expected, self.estimates.deviation(row)[eligible])
        else:
            chances = square_cb(expected, self.gamma)
        return at_least(chances, self.settings.floor)

    def terms(self, row: Floats, arm: int) -> Floats:
        """What each feature adds to the expected reward of ``arm`` (d,)."""
        values: Floats = self.estimates.weights[arm] * row
        return values


def say_of(experience: float) -> float:
    """How much of a decision is the policy's after so many outcomes; the rest is the rules'. From CURIOUS to 1."""
    return max(CURIOUS, experience / (experience + THIN))


def mixed(rules: Floats, learned: Floats, say: float) -> Floats:
    """The probabilities that are drawn from, and logged: a share ``say`` of ``learned``, the rest of ``rules``."""
    values: Floats = (1.0 - say) * rules + say * learned
    return values
