"""What a send step may say beside its action: one type per action, for checks and for whoever draws a builder. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel, Field, model_validator

from flows.definition.written import Whole
from insights.decisions.content import Template
from insights.recovery.param_parts import ChannelParams, NoParams, Params
from insights.recovery.tool_params import (
    CrmParams,
    QuietParams,
    RetargetingParams,
    SegmentParams,
    TagParams,
    TicketParams,
    WebhookParams,
)
from insights.vocabulary.actions import LiveAction, RecoveryAction
from insights.vocabulary.stages import Stage


class Answer(Params):
    """A question that visitors have, and what the shop says to it."""

    question: str = Field(min_length=1, max_length=120, description="One line.")
    answer: str = Field(min_length=1, max_length=600, description="A few sentences.")


class DiscountParams(ChannelParams):
    """Base of what may give a discount code."""

    discount_percent: Whole | None = Field(
        None, ge=1, le=90, description="Issues a single-use code of so many percent for the visitor."
    )
    discount_hours: Whole = Field(24, ge=1, le=720, description="How long that code is good for.")


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
    hours: Whole | None = Field(None, ge=1, le=672, description="Given up when it could not be delivered by then.")

    @model_validator(mode="after")
    def _says_something(self) -> PushParams:
        if self.title is None and self.message is None:
            raise ValueError("says nothing: give title or message")
        return self


class PopupParams(Params):
    """What is kept for the visitor's next visit: a live action (POST /v1/live-actions has the same fields)."""

    action: LiveAction = Field(description="What it is to the shop: discount_popup, cart_save, …")
    content: dict[str, dict[str, str]] = Field(
        min_length=1, max_length=50, description='Locale, or "default" → title, body, cta_label, …'
    )
    template: Template = Field("popup", description="How it looks.")
    stages: list[Stage] | None = Field(
        None, min_length=1, max_length=10, description="Only at these stages; without it, at all but customer."
    )
    when: str | dict[str, Any] | None = Field(None, description="A condition that must be true then, as text or JSON.")
    priority: Whole = Field(60, ge=0, le=100, description="Among what could be shown, the higher one comes first.")
    group: str = Field("", max_length=60, description="Of the actions of one group, one is shown a visit.")
    days: Whole = Field(14, ge=1, le=90, description="How long it waits for them; no longer than its code is good.")
    discount_percent: Whole | None = Field(
        None, ge=1, le=90, description="Issues a single-use code of so many percent; {code} and {percent} in the words."
    )
    discount_hours: Whole = Field(24, ge=1, le=720, description="How long that code is good for.")


PARAMS: Final[Mapping[str, type[BaseModel]]] = MappingProxyType(
    {
        RecoveryAction.SEND_EMAIL.value: EmailParams,
        RecoveryAction.SEND_SMS.value: SmsParams,
        RecoveryAction.SEND_PUSH.value: PushParams,
        RecoveryAction.SHOW_POPUP.value: PopupParams,
        RecoveryAction.TRIGGER_RETARGETING.value: RetargetingParams,
        RecoveryAction.CREATE_TICKET.value: TicketParams,
        RecoveryAction.CREATE_CRM_TASK.value: CrmParams,
        RecoveryAction.SUPPRESS_MESSAGES.value: QuietParams,
        RecoveryAction.CALL_WEBHOOK.value: WebhookParams,
        RecoveryAction.TAG_CUSTOMER.value: TagParams,
        RecoveryAction.ADD_TO_SEGMENT.value: SegmentParams,
        RecoveryAction.DO_NOTHING.value: NoParams,
    }
)
"""Action of the registry → its parameters; each has some."""
