"""Consent: whether a visitor agreed to be written to, and whether ad platforms may be told of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ADS: Final = "ads"
"""Asked for by name: who agreed to be written to has not agreed that others learn of them."""


def consents(consent: Mapping[str, object], channel: str) -> bool:
    """Whether marketing was agreed to, for this channel too where channels were named. Silence is a no."""
    if consent.get("marketing") is not True:
        return False
    channels = consent.get("channels")
    if channels is None:
        return channel != ADS
    return isinstance(channels, list) and channel in channels
