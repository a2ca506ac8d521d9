"""What a project wants of its insights, read from its settings and those of the process. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from insights.classification.pricing import NO_PRICES, Prices


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model of an OpenAI-compatible server. Equal endpoints share one client and its breaker.

    ``public_only``: a customer typed the address in, so it must lead to the public internet.
    """

    base_url: str
    model: str
    api_key: str = field(repr=False, default="")
    public_only: bool = False


@dataclass(frozen=True, slots=True)
class InsightWishes:
    """``endpoint`` None: the rules decide. ``threshold`` is 0..1, ``daily_ceiling`` in the currency of ``prices``.

    ``withheld`` are names of ``insights.privacy.redact.WITHHOLDABLE``.
    """

    endpoint: Endpoint | None
    threshold: float
    language: str = "English"
    withheld: frozenset[str] = frozenset()
    prices: Prices = NO_PRICES
    daily_ceiling: float | None = None
