"""What is wrong with a channel's settings, said before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ChannelMisconfigured(ValueError):
    """The channel cannot be built from these settings; the message says what to write instead."""


class FormRefused(ChannelMisconfigured):
    """The form of a kind is not filled in as it must be.

    ``part``: settings or credentials; ``error``: the validator's first one, without what was typed, which may be a
    secret; ``fields``: those there are, each with its sentence.
    """

    def __init__(self, part: str, error: Mapping[str, Any], fields: Mapping[str, str]) -> None:
        self.part = part
        self.field = ".".join(str(place) for place in error["loc"])
        self.error = error
        self.fields = fields
        super().__init__(f"{part}: {self.field}: {error['msg'].removeprefix('Value error, ')}.")
