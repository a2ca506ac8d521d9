"""What a flow would have done, over HTTP: to last week's visits, and to one visit step by step. Nothing is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from insights.access.keys import ResolvedKey
from insights.api.caller import SecretCaller
from insights.api.flow_named import FlowNamed, flow_named
from insights.api.given import Flag, Moment, Whole
from insights.api.services import FromRequest
from insights.api.whole_names import line_shown_to, may_try, sees_names
from insights.building.cases import last_session_of
from insights.building.preview import Preview, Previewer, StepCount
from insights.building.rehearsed import Rehearsed
from insights.errors import Refused
from insights.plans.holdout import PeopleHeldOut
from insights.segments.knowledge import VisitorKnowledge
from insights.wiring.services import Services

router = APIRouter(prefix="/v1/flows", tags=["flow builder"])

LONGEST = timedelta(days=92)


class FlowPreviewIn(FlowNamed):
    """Which flow, over which time: the last week unless said otherwise."""

    since: Moment | None = None
    until: Moment | None = None
    to_the_end: Flag = Field(
        False, description="Past the present too: each run goes on to its end, as if nothing more happened."
    )
    most: Whole = Field(500, ge=1, le=2_000, description="So many of the latest visits are examined.")


class StepThroughIn(FlowNamed):
    """Which flow, for which visit, up to when. ``clock``: as the run stands then; without it, to its end."""

    session: UUID | None = None
    visitor: UUID | None = Field(
        None, description="Their last visit; of a flow that starts on insights, the last that was explained."
    )
    clock: Moment | None = None


class LineOut(BaseModel):
    """One thing that would have happened to the run."""

    at: datetime
    step: str | None
    what: str
    detail: str


class SendOut(BaseModel):
    """A message that would have gone out. A reader's key is not told its ``content``: it is written to
    somebody, in their name, and links in it say who they are."""

    step: str
    action: str
    channel: str
    at: datetime
    content: dict[str, Any] | None = None


class SampleOut(BaseModel):
    """One run as it would have gone. ``status``: done, waiting, cancelled or not_started."""

    visitor: UUID
    session: UUID | None
    starts_at: datetime
    status: Literal["done", "waiting", "cancelled", "not_started"]
    reason: str
    step: str
    lines: list[LineOut]
    sends: list[SendOut]


class StepOut(BaseModel):
    """Runs at a step. ``ways``: then, otherwise, waited, signalled, or where a split led; ``skipped`` by reason."""

    entered: int
    waiting: int
    sent: int
    done: int
    ways: dict[str, int]
    skipped: dict[str, int]


class FlowPreviewOut(BaseModel):
    """What would have happened. ``basis``: the history that was looked at; ``assumed``: there is none, and the
    sample is of something that did not happen. ``examined``: triggers looked at; ``matched``: the flow asks for them;
    ``started``: a run began; ``people``, ``reached``: different people among them, and those who would have got
    something."""

    since: datetime
    until: datetime
    basis: str
    assumed: bool
    examined: int
    complete: bool
    matched: int
    started: int
    people: int
    reached: int
    waiting: int
    not_started: dict[str, int]
    ended: dict[str, int]
    sends: dict[str, int]
    steps: dict[str, StepOut]
    sample: list[SampleOut]


class SteppedOut(SampleOut):
    """``asked_for``: whether the flow's trigger asks for this visit; if not, this is how it would go if it did.
    ``assumed``: what did not happen and is taken as if it had; null where it did."""

    asked_for: bool
    assumed: str | None


@router.post("/preview", response_model=FlowPreviewOut)
async def preview(body: FlowPreviewIn, caller: SecretCaller, services: FromRequest) -> FlowPreviewOut:
    """What this flow would have done: the engine's own steps over stored visits, with a moved clock. Nothing is sent or
    stored. People are taken as they are known today; orders, events and other messages count at their time."""
    now = datetime.now(UTC)
    until = min(body.until or now, now)
    since = body.since or until - timedelta(days=7)
    if not timedelta(0) < until - since <= LONGEST:
        raise Refused(f"since: must lie before until, by {LONGEST.days} days at most.", field="since")
    flow = await flow_named(services, caller, body)
    if body.definition is not None:
        may_try(caller, flow, body.definition)
    found = await _previewer(services).preview(
        caller.project_id, flow, since, until, now, body.most, to_the_end=body.to_the_end
    )
    return _preview_out(found, caller)


@router.post("/step-through", response_model=SteppedOut)
async def step_through(body: StepThroughIn, caller: SecretCaller, services: FromRequest) -> SteppedOut:
    """One visit's way through a flow with its times, choices and messages, up to a moment that you choose; later ones
    are taken as if nothing more happened. Where the visit is nothing that the flow starts on, ``assumed`` says what is
    taken as if it had happened."""
    if (body.session is None) == (body.visitor is None):
        raise Refused("session: give either session or visitor.", field="session")
    flow = await flow_named(services, caller, body)
    if body.definition is not None:
        may_try(caller, flow, body.definition)
    async with services.database.transaction(caller.project_id) as tx:
        session_id = body.session
        if session_id is None and body.visitor is not None:
            session_id = await last_session_of(tx, caller.project_id, body.visitor, flow.trigger.on == "insight")
        assert session_id is not None  # noqa: S101  (one of both was given)
    ran, asked, assumed = await _previewer(services).step_through(
        caller.project_id, flow, session_id, body.clock, datetime.now(UTC)
    )
    sample = _sample(ran, caller)
    if sees_names(caller):
        for send, rehearsed in zip(sample.sends, ran.sends, strict=True):
            send.content = dict(rehearsed.content)
    return SteppedOut(**sample.model_dump(), asked_for=asked, assumed=assumed)


def _previewer(services: Services) -> Previewer:
    return Previewer(
        services.database,
        composer=services.composer,
        knowledge=VisitorKnowledge(),
        channels=services.channels,
        holdout=PeopleHeldOut(),
    )


def _preview_out(found: Preview, caller: ResolvedKey) -> FlowPreviewOut:
    return FlowPreviewOut(
        since=found.since,
        until=found.until,
        basis=found.basis,
        assumed=found.assumed,
        examined=found.examined,
        complete=found.complete,
        matched=found.matched,
        started=found.started,
        people=found.people,
        reached=found.reached,
        waiting=found.waiting,
        not_started=dict(found.not_started),
        ended=dict(found.ended),
        sends=dict(found.sends),
        steps={name: _step(count) for name, count in found.steps.items()},
        sample=[_sample(run, caller) for run in found.sample],
    )


def _step(count: StepCount) -> StepOut:
    return StepOut(
        entered=count.entered,
        waiting=count.waiting,
        sent=count.sent,
        done=count.done,
        ways=dict(count.ways),
        skipped=dict(count.skipped),
    )


def _sample(ran: Rehearsed, caller: ResolvedKey) -> SampleOut:
    return SampleOut(
        visitor=ran.case.trigger.visitor_id,
        session=ran.case.session_id,
        starts_at=ran.case.starts_at,
        status=ran.status,
        reason=ran.reason,
        step=ran.step,
        lines=[
            LineOut(at=line.at, step=line.step, what=line.what, detail=line_shown_to(caller, line.detail))
            for line in ran.lines
        ],
        sends=[
            SendOut(
                step=send.step,
                action=send.action,
                channel=send.channel,
                at=send.at,
            )
            for send in ran.sends
        ],
    )
