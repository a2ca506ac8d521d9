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

    channel: Name | None = None
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
    """Bounds. ``max_trigger_age``: what started it may not lie longer back.

    ``reenter``: whether somebody who was reached comes in again: after the pause ``reentry``, once and never more, or
    always. While a run of theirs is under way, only always lets another one begin. ``holdout``: the share of visitors
    from whom this flow holds everything back, so that its own lift can be measured, beside the project's holdout.
    ``priority``: where a cap leaves room for one message, the flow with the higher one gets it. ``max_lateness``: a
    send that is due longer than this is skipped; steps may say otherwise. ``goals`` end a run, as a purchase does.
    """

    exit_on_conversion: Flag = True
    goals: list[Goal] = Field(default_factory=list, max_length=10)
    max_trigger_age: Duration = timedelta(days=3)
    reenter: Literal["after_pause", "once", "always"] = "after_pause"
    reentry: Duration = timedelta(days=1)
    priority: Whole = Field(50, ge=0, le=100)
    caps: list[Cap] = Field(default_factory=list, max_length=10)
    quiet_hours: QuietHours | None = None
    holdout: Number = Field(0.0, ge=0, le=0.9)
    success: Success = Success()
    max_lateness: Duration = timedelta(days=2)
