"""The steps of a flow: send, wait, branch, split, exit."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from flows.definition.part import (
    LONGEST,
    VISITOR_ZONE,
    AnyZone,
    Clock,
    Name,
    Part,
    StepId,
    Weekday,
    WrittenCondition,
    ZoneName,
)
from flows.definition.triggers import Scalar
from flows.definition.written import Duration, Number


class Send(Part):
    """Reaches someone through one action of the registry. Too late by ``max_lateness`` (the flow's, where it is left
    out): skipped, and recorded."""

    do: Literal["send"] = "send"
    action: str
    params: dict[str, Any] = Field(default_factory=dict)
    max_lateness: Duration | None = None
    next: StepId | None = None


class Signal(Part):
    """Something that happens outside, named, with the fact that holds its key (ticket_fixed, error.fingerprint)."""

    name: str = Field(min_length=1, max_length=100)
    key: str = Field(min_length=1, max_length=200)


class AwaitedEvent(Part):
    """An event of the visitor, on whichever of their devices: its type, its name where it is one of your own (custom),
    values that its props must have."""

    type: Name
    name: Name | None = None
    props: dict[str, Scalar] = Field(default_factory=dict, max_length=20)


class LocalTime(Part):
    """A time of day, on some weekdays or on any, where the visitor is (``zone`` "visitor") or in a named zone.
    ``unknown_zone``: where they are taken to be while their zone is not known."""

    time: Clock
    weekdays: list[Weekday] = Field(default_factory=list, max_length=7)
    zone: AnyZone = VISITOR_ZONE
    unknown_zone: ZoneName = "UTC"


class Wait(Part):
    """Lets time pass: ``for`` so long, ``at`` until a time of day (after ``for``, where both are given), or until a
    signal or an event but ``for`` at most (then ``otherwise``)."""

    do: Literal["wait"] = "wait"
    for_: Duration | None = Field(None, alias="for", gt=timedelta(0), le=LONGEST)
    at: LocalTime | None = None
    until: Signal | None = None
    event: AwaitedEvent | None = None
    next: StepId | None = None
    otherwise: StepId | None = None

    @model_validator(mode="after")
    def _ends(self) -> Wait:
        outside = [name for name in ("until", "event") if getattr(self, name) is not None]
        if len(outside) + (self.at is not None) > 1:
            raise ValueError("wait for one thing: at, until or event")
        if outside and self.for_ is None:
            raise ValueError(f'{outside[0]} needs "for", the longest it may take, such as "P3D"')
        if self.for_ is None and self.at is None:
            raise ValueError('say how long: "for" ("PT1H"), or "at" ({"time": "09:00"})')
        return self

    @property
    def awaits(self) -> bool:
        """Whether something from outside ends it."""
        return self.until is not None or self.event is not None


class Branch(Part):
    """Goes one of two ways: ``then`` where its condition is true, ``otherwise`` where it is false or unknown.

    Conditions over ``delivery.…`` ask what became of an earlier send step of the run.
    """

    do: Literal["branch"] = "branch"
    when: WrittenCondition
    then: StepId
    otherwise: StepId


class Share(Part):
    """One way of a split, and its weight beside the others."""

    weight: Number = Field(gt=0, le=1_000_000)
    next: StepId


class Split(Part):
    """Goes one of several ways by chance, the same for a visitor whenever they come here: ``key`` (flow and step, where
    it is left out) and the visitor decide. Splits with the same key, also of other flows, choose alike."""

    do: Literal["split"] = "split"
    ways: list[Share] = Field(min_length=2, max_length=10)
    key: Name | None = None


class Exit(Part):
    """Ends the run and says why."""

    do: Literal["exit"] = "exit"
    reason: str = "finished"


AnyStep = Send | Wait | Branch | Split | Exit
Step = Annotated[AnyStep, Field(discriminator="do")]


def ways_of(step: AnyStep) -> dict[str, str]:
    """The steps that may follow: the pointer, within the step, to where it is named → its id."""
    match step:
        case Send():
            ways = {"next": step.next}
        case Wait():
            ways = {"next": step.next, "otherwise": step.otherwise}
        case Branch():
            ways = {"then": step.then, "otherwise": step.otherwise}
        case Split():
            ways = {f"ways/{n}/next": way.next for n, way in enumerate(step.ways)}
        case Exit():
            ways = {}
    return {field: name for field, name in ways.items() if name is not None}
