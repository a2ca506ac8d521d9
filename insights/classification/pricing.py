"""What a model's answers cost: tokens times the prices that its owner was told. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from adapters.llm.port import Usage

PER = 1_000_000
"""Providers price a million tokens."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of a million tokens in and out, in whatever currency the provider bills. 0 and 0: not known."""

    tokens_in: float = 0.0
    tokens_out: float = 0.0

    @property
    def unknown(self) -> bool:
        return self.tokens_in == 0 and self.tokens_out == 0

    def cost(self, usage: Usage) -> float:
        """The cost in that currency. Cached tokens are counted in full: what a cache saves differs by provider."""
        return (usage.tokens_in * self.tokens_in + usage.tokens_out * self.tokens_out) / PER

    def micros(self, usage: Usage) -> int:
        """The cost in millionths of that currency, rounded up."""
        return math.ceil(usage.tokens_in * self.tokens_in + usage.tokens_out * self.tokens_out)


NO_PRICES = Prices()
