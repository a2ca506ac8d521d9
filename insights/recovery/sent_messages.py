"""Decides whether what a flow's steps say is there, and whether they bring all that it speaks of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from uuid import UUID

from liquid.exceptions import LiquidError
from sqlalchemy.ext.asyncio import AsyncSession

from flows.conditions.faults import did_you_mean
from flows.definition import FlowDefinition, Send
from flows.errors import Fault
from insights.recovery import short
from insights.recovery.document_faults import escaped
from insights.recovery.library import looking, shipped
from insights.recovery.message_render import MessageTemplates
from insights.recovery.message_store import names_of_messages, published_needs
from insights.recovery.message_values import TASK_VALUES, VALUES, Value, missing_in, needs_of
from insights.vocabulary.actions import RecoveryAction

_OWN_WORDS = {RecoveryAction.SEND_SMS: ("text",), RecoveryAction.SEND_PUSH: ("title", "body")}
"""Action → the parameters that are words of the step's own, in Liquid."""


async def faults_of_sent_messages(
    tx: AsyncSession, project_id: UUID, flow: FlowDefinition, told: Collection[str] = ()
) -> list[Fault]:
    """A message that there is none of, words that cannot be read, and values that the step does not bring.

    ``told``: pointers to parameters of which it is known already that they are none; words that stand there may be
    longer than any may be, and are not read.
    """
    sends = {name: step for name, step in flow.steps.items() if isinstance(step, Send)}
    faults = await looking().beside(project_id, _faults_of_own_words, sends, told, looking().templates)
    mails = {
        name: step
        for name, step in sends.items()
        if step.action == RecoveryAction.SEND_EMAIL and isinstance(step.params.get("message"), str)
    }
    if not mails:
        return faults
    named = [step.params["message"] for step in mails.values()]
    needs = await published_needs(tx, project_id, named, looking(), shipped())
    for step_id, step in mails.items():
        name, at = step.params["message"], f"/steps/{escaped(step_id)}/params"
        if name not in needs:
            known = await names_of_messages(tx, project_id, shipped())
            faults.append(Fault(f"{at}/message", f"no message {name[:60]!r} is published", did_you_mean(name, known)))
        faults += _unmet(step, needs.get(name, set()), at, f"the message {name!r}")
    return faults


def _faults_of_own_words(sends: Mapping[str, Send], told: Collection[str], templates: MessageTemplates) -> list[Fault]:
    """What is wrong with the words that stand in the steps themselves. It takes a while: a thread's work."""
    faults: list[Fault] = []
    for name, step in sends.items():
        at = f"/steps/{escaped(name)}/params"
        if step.action in _OWN_WORDS:
            faults += _short_words(step, at, told, templates)
        elif step.action == RecoveryAction.CREATE_CRM_TASK:
            faults += _task_words(step, at, told, templates)
    return faults


def _short_words(step: Send, at: str, told: Collection[str], templates: MessageTemplates) -> Iterator[Fault]:
    """What is wrong with the words of a short message or a push."""
    own = {param: step.params[param] for param in _OWN_WORDS[RecoveryAction(step.action)] if param in step.params}
    name = step.params.get("message")
    if not own and isinstance(name, str):
        if name not in short.TEXTS:
            yield Fault(f"{at}/message", f"no text {name[:60]!r} comes along", did_you_mean(name, short.TEXTS))
            return
        shipped = short.TEXTS[name] if step.action == RecoveryAction.SEND_SMS else "".join(short.TITLES[name])
        yield from _unmet(step, needs_of(templates.parse(shipped, html=False)), at, f"the text {name!r}")
    for param, source in own.items():
        if not isinstance(source, str) or f"{at}/{param}" in told:
            continue
        faults = list(_faults_of_text(source, f"{at}/{param}", VALUES, templates))
        yield from faults
        if not faults:
            yield from _unmet(step, needs_of(templates.parse(source, html=False)), at, f"its {param}")


def _task_words(step: Send, at: str, told: Collection[str], templates: MessageTemplates) -> Iterator[Fault]:
    """What is wrong with the words of a task, or of a contact's properties."""
    written = {name: step.params.get(name) for name in ("title", "body")}
    given = step.params.get("properties")
    if isinstance(given, Mapping) and f"{at}/properties" not in told:
        written |= {f"properties/{escaped(str(name))}": value for name, value in given.items()}
    for name, source in written.items():
        if isinstance(source, str) and f"{at}/{name}" not in told:
            yield from _faults_of_text(source, f"{at}/{name}", TASK_VALUES, templates)


def _faults_of_text(source: str, at: str, known: Mapping[str, Value], templates: MessageTemplates) -> Iterator[Fault]:
    """Liquid that cannot be read, or that speaks of what is not there."""
    try:
        template = templates.parse(source, html=False)
    except LiquidError as error:
        yield Fault(at, f"cannot be read: {error.message}", "mend the Liquid there")
        return
    for missing in missing_in(template, known=known):
        index = missing.index
        yield Fault(at, f"there is no value {missing.name}", missing.fix, index, index + len(missing.name))


def _unmet(step: Send, needed: set[str], at: str, who: str) -> Iterator[Fault]:
    for param in sorted(needed):
        if step.params.get(param) is None:
            yield Fault(f"{at}/{param}", f"is missing: {who} speaks of it", f"add {param}")
