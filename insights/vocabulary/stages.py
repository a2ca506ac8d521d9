"""Stages of a visitor, in the order in which they unlock offer classes."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """anonymous → browser → cart_adder → high_intent → customer."""

    ANONYMOUS = "anonymous"
    BROWSER = "browser"
    CART_ADDER = "cart_adder"
    HIGH_INTENT = "high_intent"
    CUSTOMER = "customer"
