"""Decides what a server says beside a visit: who somebody is, what they agreed to, what they bought.

It brings nobody to the shop. A session that holds nothing else is no visit: it is closed after the grace, and gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from insights.events.dialects.names import TABS
from insights.vocabulary.events import AFTERWARDS

OF_AN_ORDER: Final = ("purchased", "identified", "consent_changed", *sorted(AFTERWARDS))
"""What is said of an order, and beside it of whoever placed it."""


def is_aside(tab: str, type: str, props: Mapping[str, object]) -> bool:
    """Whether an event of this tab is none of a visit."""
    if tab not in TABS:
        return False
    return type in OF_AN_ORDER or (type == "custom" and tab == "segment" and props.get("name") == "group")
