"""What is wrong with a channel's settings, said before anything is sent."""

from __future__ import annotations


class ChannelMisconfigured(ValueError):
    """The channel cannot be built from these settings; the message says what to write instead."""
