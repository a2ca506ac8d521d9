"""Consent: whether a visitor agreed to be written to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def consents(consent: Mapping[str, Any], channel: str) -> bool:
    """Whether marketing was agreed to, for this channel too where channels were named. Silence is a no."""
    if consent.get("marketing") is not True:
        return False
    channels = consent.get("channels")
    return channels is None or (isinstance(channels, list) and channel in channels)
