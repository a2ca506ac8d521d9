"""The bounds of a flow: whom it spares, when it ends, how often it comes again, and what counts as its success."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, model_validator

from flows.definition.part import VISITOR_ZONE, AnyZone, Clock, Name, Part, ZoneName
from flows.definition.triggers import Scalar
from flows.definition.written import Duration, Flag, Number, Whole


class Goal(Part):
    """What a run is for: an event of the visitor (and of this name, where it is your own), or a segment they come
    into."""

    event: Name | None = None
    name: Name | None = None
    props: dict[str, Scalar] = Field(default_factory=dict, max_length=20)
    segment: Name | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Goal:
        if (self.event is None) == (self.segment is None):
            raise ValueError("a goal is either an event or a segment")
        if self.segment is not None and (self.name is not None or self.props):
            raise ValueError("name and props go with an event: leave them out beside a segment")
        return self


class Cap(Part):
    """At most so many messages to one visitor within a time, of all flows together; on one channel, or on any."""

    channel: Name | None = Field(None, description="Its word, such as email; left out, all together.")
    most: Whole = Field(ge=1, le=1_000)
    within: Duration = Field(timedelta(days=1), gt=timedelta(0), le=timedelta(days=90))


class QuietHours(Part):
    """No message in these hours, where the visitor is or in a named zone: it is sent when they end. ``unknown_zone``:
    where a visitor is taken to be while their zone is not known. ``channels``: those that disturb."""

    begin: Clock = Field(alias="from")
    end: Clock = Field(alias="to")
    zone: AnyZone = VISITOR_ZONE
    unknown_zone: ZoneName = "UTC"
    channels: list[Name] = Field(default_factory=lambda: ["email", "sms", "push"], min_length=1, max_length=20)

    @model_validator(mode="after")
    def _leave_time(self) -> QuietHours:
        if self.begin == self.end:
            raise ValueError("from and to are the same: that is either always or never")
        return self


class Success(Part):
    """What counts as a conversion in the flow's figures: this goal, within this time after a message."""

    goal: Goal = Goal(event="purchased")
    within: Duration = Field(timedelta(days=7), gt=timedelta(0), le=timedelta(days=90))


class FlowSettings(Part):
    """Bounds. ``goals`` end a run, as a purchase does."""

    exit_on_conversion: Flag = Field(True, description="Whether a purchase ends a run: nothing more is sent.")
    goals: list[Goal] = Field(
        default_factory=list, max_length=10, description="What else ends a run, as a purchase does."
    )
    max_trigger_age: Duration = Field(
        timedelta(days=3), description="Nobody comes in for what lies longer back than this when it becomes known."
    )
    reenter: Literal["after_pause", "once", "always"] = Field(
        "after_pause",
        description="Whether somebody who was reached comes in again: after the pause below, never more (once), or "
        "always. While a run of theirs is under way, only always lets another one begin.",
    )
    reentry: Duration = Field(timedelta(days=1), description="That pause.")
    priority: Whole = Field(
        50, ge=0, le=100, description="Where a cap leaves room for one message, the flow with the higher one gets it."
    )
    caps: list[Cap] = Field(default_factory=list, max_length=10)
    quiet_hours: QuietHours | None = None
    holdout: Number = Field(
        0.0,
        ge=0,
        le=0.9,
        description="The share of visitors (0.1 is a tenth) from whom this flow holds everything back, so that its own "
        "lift can be measured, beside the project's holdout.",
    )
    success: Success = Success()
    max_lateness: Duration = Field(
        timedelta(days=2), description="A message that is due longer than this is not sent. Steps may say otherwise."
    )
