"""The steps of a checkout, in order, as shops and their dialects are read."""

from __future__ import annotations

from typing import Final

CHECKOUT_STEPS: Final = ("contact", "shipping", "payment", "review")
