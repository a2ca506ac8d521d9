"""Intent: where a visit is heading, as four scores."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Intent(Struct, frozen=True):
    """Scores from 0 to 1, all finite. ``affinity``: category → share of the visitor's interest; sums to 1, or empty."""

    propensity: float
    bounce_risk: float
    price_sensitivity: float
    affinity: dict[str, float]
    model: str

    def as_dict(self) -> dict[str, Any]:
        """As it is logged with a decision."""
        return {
            "propensity": self.propensity,
            "bounce_risk": self.bounce_risk,
            "price_sensitivity": self.price_sensitivity,
            "affinity": self.affinity,
            "model": self.model,
        }
