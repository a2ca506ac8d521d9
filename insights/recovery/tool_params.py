"""What a send step may say to the shop's other tools: tickets, CRM, ads, mail service, tags, webhooks. Pure."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from flows.definition.written import Whole
from insights.recovery.param_parts import ChannelParams

MOST_QUIET_DAYS: Final = 365
QUIET_DAYS: Final = 7
Tag = Annotated[str, Field(min_length=1, max_length=60)]
PropertyName = Annotated[str, Field(min_length=1, max_length=100)]
PropertyValue = Annotated[str, Field(max_length=2_000)] | bool | int | float | None
Priority = Literal["low", "normal", "high"]


class TicketParams(ChannelParams):
    """How urgent the ticket is."""

    priority: Priority = Field("normal", description="As the issue tracker calls it.")


class CrmParams(ChannelParams):
    """A task for whoever looks after customers, or properties of the contact: one of the two."""

    title: str | None = Field(
        None,
        min_length=1,
        max_length=500,
        description="Of the task, in Liquid; without it: {{ who }} left: {{ reason }}.",
    )
    body: str | None = Field(
        None,
        min_length=1,
        max_length=5_000,
        description="Of the task, in Liquid; without it: why they left, and the visit.",
    )
    priority: Priority | None = Field(None, description="Of the task; normal without it.")
    due_hours: Whole | None = Field(
        None, ge=0, le=2_160, description="The task is due so many hours later; without it, as the channel is set up."
    )
    due_at: AwareDatetime | None = Field(None, description="Or the very time at which all tasks of this step are due.")
    properties: dict[PropertyName, PropertyValue] | None = Field(
        None, min_length=1, max_length=50, description="Written to the contact instead of a task; texts are Liquid."
    )

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        task = [
            name for name in ("title", "body", "priority", "due_hours", "due_at") if getattr(self, name) is not None
        ]
        if self.properties is not None and task:
            raise ValueError(f"is a task and properties at once: give properties, or {' and '.join(task)}")
        if self.due_hours is not None and self.due_at is not None:
            raise ValueError("is due twice: give due_hours or due_at")
        return self


class RetargetingParams(ChannelParams):
    """What an ad platform is told: what happened, for conversions; who comes or goes, for audiences."""

    event: str = Field(
        "CartAbandoned",
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z][A-Za-z0-9_ -]*$",
        description="What happened, for a conversions channel: AddToCart, InitiateCheckout, or a name of your own.",
    )
    do: Literal["add", "remove"] = Field("add", description="Into an audience, or out of it.")


class QuietParams(ChannelParams):
    """How a connected mail service is told to leave somebody in peace."""

    mode: Literal["quiet", "suppress", "resume"] = Field(
        "quiet",
        description="quiet: nothing is to be planned for them until then; suppress: all marketing there ends; resume: "
        "it may go on.",
    )
    days: Whole = Field(QUIET_DAYS, ge=1, le=MOST_QUIET_DAYS, description="For how long, where the mode is quiet.")


class WebhookParams(ChannelParams):
    """What the call says it is."""

    type: str = Field(
        "recovery.step", min_length=1, max_length=80, description="The type of the call, for its receiver."
    )


class TagParams(ChannelParams):
    """Tags to put on the visitor and to take off; on the shop's own customer too, where a shop is connected."""

    tag: Tag | None = Field(None, description="One tag to put on.")
    set: list[Tag] = Field(default_factory=list, max_length=20, description="Tags to put on.")
    remove: list[Tag] = Field(default_factory=list, max_length=20, description="Tags to take off.")

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if self.tag is None and not self.set and not self.remove:
            raise ValueError("names no tag: give tag, set or remove")
        return self


class SegmentParams(ChannelParams):
    """The segment that the visitor is added to; with a channel, they join that audience or mail service as well."""

    segment: str = Field(min_length=1, max_length=60, description="The name of a segment of this project.")
