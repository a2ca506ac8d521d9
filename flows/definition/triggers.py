"""What may start a run: an insight, an event, a segment, a pattern, the clock, or a call of the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from flows.definition.part import Name, Part, PathPattern, WrittenCondition, ZoneName
from flows.definition.written import Duration, Number, Whole
from flows.schedule import Cron

SHORTEST_INTERVAL: Final = timedelta(minutes=5)
Scalar = bool | int | float | str


class CartRange(Part):
    """The cart's value lies between the two, ends included, in minor units of ``currency``."""

    currency: str = Field(pattern="^[A-Z]{3}$")
    min_minor: Whole | None = Field(None, ge=0)
    max_minor: Whole | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _is_a_range(self) -> CartRange:
        if self.min_minor is None and self.max_minor is None:
            raise ValueError("give min_minor, max_minor, or both")
        if self.min_minor is not None and self.max_minor is not None and self.min_minor > self.max_minor:
            raise ValueError("min_minor must not be above max_minor")
        return self


class InsightTrigger(Part):
    """A visit was explained. Everything given must fit: ``pages`` the path of the page they left, ``segments`` one of
    those that they are in, ``cart`` what they left in it."""

    on: Literal["insight"] = "insight"
    kind: str | None = None
    reasons: list[str] = Field(default_factory=list, max_length=50)
    min_confidence: Number = Field(0.0, ge=0, le=1)
    pages: list[PathPattern] = Field(default_factory=list, max_length=50)
    segments: list[Name] = Field(default_factory=list, max_length=20)
    cart: CartRange | None = None
    when: WrittenCondition | None = None


class EventTrigger(Part):
    """An event arrived: of this type, and of this name where it is one of your own (custom). ``props``: values that it
    must have."""

    on: Literal["event"] = "event"
    event: Name
    name: Name | None = None
    props: dict[str, Scalar] = Field(default_factory=dict, max_length=20)
    pages: list[PathPattern] = Field(default_factory=list, max_length=50)
    when: WrittenCondition | None = None


class SegmentTrigger(Part):
    """A visitor came into a segment, or fell out of it: looked at when a visit of theirs closes, and when one is added
    by hand or by a flow."""

    on: Literal["segment"] = "segment"
    segment: Name
    change: Literal["entered", "left"] = "entered"
    when: WrittenCondition | None = None


class PatternTrigger(Part):
    """The reason mix changed. ``each``: one run for the shop itself (tickets, webhooks), or one for each visitor whose
    visit stands behind it."""

    on: Literal["pattern"] = "pattern"
    reasons: list[str] = Field(default_factory=list, max_length=50)
    pages: list[PathPattern] = Field(default_factory=list, max_length=50)
    direction: Literal["up", "down"] | None = None
    min_sessions: Whole = Field(0, ge=0)
    each: Literal["shop", "visitor"] = "shop"
    when: WrittenCondition | None = None


class ScheduleTrigger(Part):
    """The clock: a cron line in a zone, or an interval. Runs start for everybody who is in the segment then."""

    on: Literal["schedule"] = "schedule"
    segment: Name
    cron: str | None = Field(None, max_length=100)
    every: Duration | None = Field(None, ge=SHORTEST_INTERVAL, le=timedelta(days=366))
    zone: ZoneName = "UTC"
    when: WrittenCondition | None = None

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, value: str | None) -> str | None:
        if value is not None:
            Cron.parse(value)
        return value

    @model_validator(mode="after")
    def _one_of_both(self) -> ScheduleTrigger:
        if (self.cron is None) == (self.every is None):
            raise ValueError('give either cron ("0 9 * * 1") or every ("P1D")')
        return self


class ApiTrigger(Part):
    """POST /v1/flows/{id}/start says so, for one visitor."""

    on: Literal["api"] = "api"
    when: WrittenCondition | None = None


Trigger = InsightTrigger | EventTrigger | SegmentTrigger | PatternTrigger | ScheduleTrigger | ApiTrigger
TriggerRule = Annotated[Trigger, Field(discriminator="on")]
"""Which triggers start a run. ``on`` is the trigger's kind, the rest narrows it."""
