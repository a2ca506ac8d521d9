"""What the parameters of all actions have in common. Pure."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Params(BaseModel):
    """Base of all parameters: nothing beyond what is listed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoParams(Params):
    """There is nothing to say."""


class ChannelParams(Params):
    """Base of what goes out through a channel."""

    channel: str | None = Field(
        None,
        min_length=1,
        max_length=80,
        description="The name of one of the project's channels; without it, the one that carries this kind.",
    )
