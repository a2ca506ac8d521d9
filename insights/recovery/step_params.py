"""What a send step may say beside its action: one type per action, for checks and for whoever draws a builder. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from insights.vocabulary.actions import RecoveryAction

Tag = Annotated[str, Field(min_length=1, max_length=60)]


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


class Answer(Params):
    """A question that visitors have, and what the shop says to it."""

    question: str = Field(min_length=1, max_length=120, description="One line.")
    answer: str = Field(min_length=1, max_length=600, description="A few sentences.")


class EmailParams(ChannelParams):
    """Which message is sent, and what goes into it."""

    message: str = Field(
        min_length=1, max_length=60, description="The name of a message: one of your own, or one that comes along."
    )
    discount_percent: int | None = Field(
        None, ge=1, le=90, description="Issues a single-use code of so many percent for the visitor."
    )
    discount_hours: int = Field(24, ge=1, le=720, description="How long that code is good for.")
    cart_url: str | None = Field(
        None,
        max_length=500,
        pattern="^https?://",
        description="Where cart_link leads; {items} in it becomes id:quantity,id:quantity, {token} what the cart is "
        "read with. Without it, the shop's address with whyleft_cart=<token>.",
    )
    answers: list[Answer] = Field(
        default_factory=list, max_length=6, description="Questions answered, where the message shows answers."
    )


class TicketParams(ChannelParams):
    """How urgent the ticket is."""

    priority: Literal["low", "normal", "high"] = Field("normal", description="As the issue tracker calls it.")


class WebhookParams(ChannelParams):
    """What the call says it is."""

    type: str = Field(
        "recovery.step", min_length=1, max_length=80, description="The type of the call, for its receiver."
    )


class TagParams(Params):
    """Tags to put on the visitor and to take off."""

    tag: Tag | None = Field(None, description="One tag to put on.")
    set: list[Tag] = Field(default_factory=list, max_length=20, description="Tags to put on.")
    remove: list[Tag] = Field(default_factory=list, max_length=20, description="Tags to take off.")

    @model_validator(mode="after")
    def _names_one(self) -> TagParams:
        if self.tag is None and not self.set and not self.remove:
            raise ValueError("names no tag: give tag, set or remove")
        return self


class SegmentParams(Params):
    """The segment that the visitor is added to."""

    segment: str = Field(min_length=1, max_length=60, description="The name of a segment of this project.")


PARAMS: Final[Mapping[str, type[BaseModel]]] = MappingProxyType(
    {
        RecoveryAction.SEND_EMAIL.value: EmailParams,
        RecoveryAction.CREATE_TICKET.value: TicketParams,
        RecoveryAction.CALL_WEBHOOK.value: WebhookParams,
        RecoveryAction.TAG_CUSTOMER.value: TagParams,
        RecoveryAction.ADD_TO_SEGMENT.value: SegmentParams,
        RecoveryAction.DO_NOTHING.value: NoParams,
    }
)
"""Action → its parameters. An action that is not listed takes what its channel understands."""
