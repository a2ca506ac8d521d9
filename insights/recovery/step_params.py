"""What a send step may say beside its action: one type per action, for checks and for whoever draws a builder. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

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


class DiscountParams(ChannelParams):
    """Base of what may give a discount code."""

    discount_percent: int | None = Field(
        None, ge=1, le=90, description="Issues a single-use code of so many percent for the visitor."
    )
    discount_hours: int = Field(24, ge=1, le=720, description="How long that code is good for.")


class EmailParams(DiscountParams):
    """Which message is sent, and what goes into it."""

    message: str = Field(
        min_length=1, max_length=60, description="The name of a message: one of your own, or one that comes along."
    )
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


class SmsParams(DiscountParams):
    """What a short message says: words of your own in Liquid, or one of the texts that come along."""

    text: str | None = Field(None, min_length=1, max_length=1600, description="Your own words, in Liquid.")
    message: str | None = Field(None, min_length=1, max_length=60, description="One of the texts that come along.")
    region: str | None = Field(
        None, pattern="^[A-Za-z]{2}$", description="Where a number without a country code is dialled: DE."
    )

    @model_validator(mode="after")
    def _says_something(self) -> SmsParams:
        if self.text is None and self.message is None:
            raise ValueError("says nothing: give text or message")
        return self


class PushParams(DiscountParams):
    """What a push says: title and body of your own in Liquid, or one of the texts that come along."""

    title: str | None = Field(None, min_length=1, max_length=300, description="Your own words, in Liquid: one line.")
    body: str | None = Field(None, max_length=1000, description="Your own words, in Liquid.")
    message: str | None = Field(None, min_length=1, max_length=60, description="One of the texts that come along.")
    url: str | None = Field(None, max_length=2000, description="Where it leads; without it, the way back to the shop.")
    topic: str | None = Field(None, max_length=60, description="A later one of the same topic takes its place.")
    hours: int | None = Field(None, ge=1, le=672, description="Given up when it could not be delivered by then.")

    @model_validator(mode="after")
    def _says_something(self) -> PushParams:
        if self.title is None and self.message is None:
            raise ValueError("says nothing: give title or message")
        return self


class PopupParams(Params):
    """What is kept for the visitor's next visit: a live action (POST /v1/live-actions has the same fields)."""

    action: str = Field(description="A live action, such as discount_popup.")
    content: dict[str, dict[str, Any]] = Field(
        min_length=1, max_length=50, description='Locale, or "default" → title, body, cta_label, …'
    )
    template: str = Field("popup", description="banner, popup, card, form or carousel.")
    stages: list[str] = Field(default_factory=list, max_length=10)
    when: Any = Field(None, description="A condition, as JSON or text.")
    priority: int = Field(60, ge=0, le=100)
    group: str = Field("", max_length=60)
    days: int = Field(14, ge=1, le=90, description="How long it waits for them.")
    discount_percent: int | None = Field(None, ge=1, le=90)
    discount_hours: int = Field(24, ge=1, le=720)


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
        RecoveryAction.SEND_SMS.value: SmsParams,
        RecoveryAction.SEND_PUSH.value: PushParams,
        RecoveryAction.SHOW_POPUP.value: PopupParams,
        RecoveryAction.CREATE_TICKET.value: TicketParams,
        RecoveryAction.CALL_WEBHOOK.value: WebhookParams,
        RecoveryAction.TAG_CUSTOMER.value: TagParams,
        RecoveryAction.ADD_TO_SEGMENT.value: SegmentParams,
        RecoveryAction.DO_NOTHING.value: NoParams,
    }
)
"""Action → its parameters. An action that is not listed takes what its channel understands."""
