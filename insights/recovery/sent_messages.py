"""Decides whether the messages that a flow sends are there, and get all that they speak of."""

from __future__ import annotations

from functools import cache
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from flows.conditions.faults import did_you_mean
from flows.definition import FlowDefinition, Send
from flows.errors import Fault
from insights.recovery.document_faults import escaped
from insights.recovery.message_render import MessageTemplates
from insights.recovery.message_store import names_of_messages, published_needs
from insights.recovery.templates import Messages


@cache
def _library() -> tuple[MessageTemplates, Messages]:
    templates = MessageTemplates()
    return templates, Messages(templates=templates)


async def faults_of_sent_messages(tx: AsyncSession, project_id: UUID, flow: FlowDefinition) -> list[Fault]:
    """A message that there is none of, and one that speaks of what its step does not bring."""
    sent = {
        name: step
        for name, step in flow.steps.items()
        if isinstance(step, Send) and isinstance(step.params.get("message"), str)
    }
    if not sent:
        return []
    templates, shipped = _library()
    named = [step.params["message"] for step in sent.values()]
    needs = await published_needs(tx, project_id, named, templates, shipped)
    faults = []
    for step_id, step in sent.items():
        name, at = step.params["message"], f"/steps/{escaped(step_id)}/params"
        if name not in needs:
            known = await names_of_messages(tx, project_id, shipped)
            faults.append(Fault(f"{at}/message", f"no message {name[:60]!r} is published", did_you_mean(name, known)))
        for param in sorted(needs.get(name, ())):
            if step.params.get(param) is None:
                faults.append(Fault(f"{at}/{param}", f"is missing: the message {name!r} speaks of it", f"add {param}"))
    return faults
