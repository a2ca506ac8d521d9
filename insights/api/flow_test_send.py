"""Sends one step of a flow to whoever builds it, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from flows.carriers import chosen
from flows.definition import Send
from insights.api.caller import SecretCaller
from insights.api.channels import TestOut
from insights.api.flow_named import FlowNamed, flow_named
from insights.api.services import FromRequest
from insights.building.cases import last_session_of
from insights.building.one_visit import entrance_of
from insights.building.own_copy import own_copy
from insights.channels.trial import send_through
from insights.errors import Conflict, Refused

router = APIRouter(prefix="/v1/flows", tags=["flow builder"])


class TestSendIn(FlowNamed):
    """Which step of which flow, to which address of your own, with whose data: a visit's, or samples."""

    step: str = Field(min_length=1, max_length=60, description="A send step of the flow.")
    to: str | None = Field(
        None, max_length=320, description="Of your own: e-mail address, phone number or push subscription."
    )
    session: UUID | None = Field(None, description="Show it with the data of this visit.")
    visitor: UUID | None = Field(None, description="Or of their last visit.")


class TestSent(TestOut):
    """``channel``: the word of the channel that carried it."""

    channel: str


@router.post("/test-send", response_model=TestSent)
async def test_send(body: TestSendIn, caller: SecretCaller, services: FromRequest) -> TestSent:
    """Sends a step's message to yourself through the channel that would carry it, marked as a test. It issues no code
    and counts nowhere: in no figures, no caps, no history."""
    if body.session is not None and body.visitor is not None:
        raise Refused("session: give either session or visitor, or neither for samples.", field="session")
    now, project_id = datetime.now(UTC), caller.project_id
    flow = await flow_named(services, caller, body)
    step = flow.steps.get(body.step)
    if not isinstance(step, Send):
        sends = ", ".join(name for name, one in flow.steps.items() if isinstance(one, Send))
        raise Refused(f"step: {body.step!r} is no send step of this flow; there are: {sends or 'none'}.", field="step")
    async with services.database.transaction(project_id) as tx:
        session_id = body.session
        if body.visitor is not None:
            session_id = await last_session_of(tx, project_id, body.visitor, flow.trigger.on == "insight")
        trigger = (await entrance_of(tx, project_id, flow, session_id)).case.trigger if session_id is not None else None
        copy = await own_copy(tx, services.composer, project_id, body.step, step, trigger, body.to, now)
        ways = await services.channels.of(tx, project_id)
        await tx.rollback()
    channel = chosen(ways, copy.word, copy.named)
    if channel is None:
        which = f"called {copy.named!r}" if copy.named else "set up for this project"
        raise Conflict(f"No {copy.word} channel is {which}: POST /v1/channels makes one.")
    name = copy.named or copy.word
    trial = await send_through(
        services.database, services.channels, project_id, channel, name, copy.recipient, copy.content, now
    )
    return TestSent(
        channel=copy.word, result=trial.result, said=trial.said, todo=trial.todo, provider_id=trial.provider_id
    )
