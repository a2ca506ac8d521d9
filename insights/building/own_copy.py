"""Decides what one step of a flow says to whoever builds it: its message, marked as a test, with a real visit's data or
with samples. Nothing of it is stored, issued or counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.mail import MailInvalid, address
from flows.definition import Send
from flows.ports import NOBODY, Composed, Done, SendRequest, Skip, Trigger
from insights.conditions.consent import ADS
from insights.errors import Refused
from insights.models import PushSubscription
from insights.recovery import short, to_tools, tools
from insights.recovery.compose import MessageComposer
from insights.recovery.message_faults import SAMPLE
from insights.recovery.message_render import MessageBroken
from insights.recovery.step_code import sample_code
from insights.vocabulary.actions import RecoveryAction

MARK: Final = "[Test]"
NO_ONESELF: Final[Mapping[str, str]] = {
    RecoveryAction.SHOW_POPUP: "it waits in the shop for a visitor's next visit. Live actions in the "
    "viewer show how such a one looks.",
    RecoveryAction.TAG_CUSTOMER: "it marks a visitor and sends nothing.",
    RecoveryAction.ADD_TO_SEGMENT: "it marks a visitor and sends nothing.",
    RecoveryAction.SUPPRESS_MESSAGES: "it would silence somebody in the mail service. Test the channel itself: POST "
    "/v1/channels/{id}/test.",
    RecoveryAction.DO_NOTHING: "it does nothing on purpose.",
}
"""Action → why nobody can send it to themselves."""
_ADDRESS_OF: Final[Mapping[str, str]] = {
    RecoveryAction.SEND_EMAIL: "an e-mail address of your own",
    RecoveryAction.SEND_SMS: "a phone number of your own such as +4915112345678",
    RecoveryAction.SEND_PUSH: "the id of a subscription of your own (GET /v1/push/subscriptions)",
    RecoveryAction.TRIGGER_RETARGETING: "an e-mail address of your own",
}
_SAMPLE_FACTS: Final[Mapping[str, Any]] = {
    "insight": {
        "kind": "abandoned",
        "reason": "technical_error",
        "confidence": 0.9,
        "narrative": "A sample: the shop answered with an error as they paid.",
    },
    "session": {"exit_path": "/checkout", "landing_path": "/", "currency": "EUR"},
    "cart": {"value_minor": 2_900, "currency": "EUR", "count": 1, "items": []},
    "products": [],
    "error": {
        "kind": "request",
        "method": "POST",
        "path": "/api/sample",
        "status": 500,
        "fingerprint": "sample",
        "count": 1,
    },
}


@dataclass(frozen=True, slots=True)
class OwnCopy:
    """A message to oneself. ``named``: the one channel of the project that it must go through, if any."""

    word: str
    recipient: str | None
    content: Mapping[str, Any]
    named: str | None


async def own_copy(
    tx: AsyncSession,
    composer: MessageComposer,
    project_id: UUID,
    step_id: str,
    step: Send,
    trigger: Trigger | None,
    to: str | None,
    now: datetime,
) -> OwnCopy:
    """The step's message to ``to``. ``trigger``: of the visit whose data it shows; None for samples. Raises Refused
    where there is no such oneself, where ``to`` is missing or none, and where the step says nothing."""
    if why := NO_ONESELF.get(step.action):
        raise Refused(f"step: {step.action} cannot be sent to yourself: {why}", field="step")
    if (wanted := _ADDRESS_OF.get(step.action)) and not to:
        raise Refused(f"to: {step.action} reaches somebody; give {wanted}.", field="to")
    request = SendRequest(
        project_id=project_id,
        visitor_id=trigger.visitor_id if trigger is not None else NOBODY,
        run_id=uuid4(),
        step_id=step_id,
        action=step.action,
        params=step.params,
        trigger=trigger.facts if trigger is not None else _SAMPLE_FACTS,
        now=now,
    )
    named = step.params.get("channel")
    made = await _made(tx, composer, request, to or "", samples=trigger is None)
    if isinstance(made, Skip | Done):
        raise Refused(f"step: it would say nothing. {made.detail}", field="step")
    content = _marked(step.action, made.content)
    return OwnCopy(made.channel, made.recipient, content, made.via or (str(named) if named else None))


async def _made(
    tx: AsyncSession, composer: MessageComposer, request: SendRequest, to: str, *, samples: bool
) -> Composed | Skip:
    match request.action:
        case RecoveryAction.SEND_EMAIL:
            return await _mail(tx, composer, request, to, samples=samples)
        case RecoveryAction.SEND_SMS:
            number = short.number_of(to, request.params)
            if isinstance(number, Skip):
                raise Refused("to: is no phone number that can be written to.", field="to")
            return await short.sms_of(
                composer.rendering, request, number, await _values(tx, composer, request, samples)
            )
        case RecoveryAction.SEND_PUSH:
            subscription = await _subscription(tx, request.project_id, to)
            values = await _values(tx, composer, request, samples)
            return await short.push_to(tx, composer.rendering, request, values, subscription)
        case RecoveryAction.CREATE_TICKET:
            content = to_tools.ticket_content(composer.public_url, request)
            return content if isinstance(content, Skip) else Composed("ticket", None, {**content, "sessions": 1})
        case RecoveryAction.CREATE_CRM_TASK:
            if request.params.get("properties") is not None:
                raise Refused(
                    "step: properties go to a contact of the CRM. Test the channel itself with one of your own: "
                    "POST /v1/channels/{id}/test.",
                    field="step",
                )
            made = await to_tools.crm_of(tx, composer.rendering, composer.public_url, request)
            # Of nobody's contact: it is a task about a test.
            return replace(made, recipient=to or None) if isinstance(made, Composed) else made
        case RecoveryAction.TRIGGER_RETARGETING:
            return Composed(ADS, None, tools.told_ads(request, {"email": _address(to)}, _AGREED))
        case _:
            return await to_tools.call_of(tx, request)


_AGREED: Final = {"marketing": True, "channels": [ADS]}
"""Whoever asks for it agrees to it."""


async def _mail(
    tx: AsyncSession, composer: MessageComposer, request: SendRequest, to: str, *, samples: bool
) -> Composed | Skip:
    recipient = _address(to)
    name = str(request.params.get("message"))
    content = await composer.content(tx, request.project_id, name)
    if content is None:
        return Skip("no_such_message", f"There is no message {name[:80]!r}.")
    values = await _values(tx, composer, request, samples)
    try:
        locale = await composer.locale(tx, request)
        mail = await composer.rendering.message(request.project_id, content, locale, values)
    except MessageBroken as error:
        return Skip("message_broken", f"The message {name!r} {error}.")
    said = {
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html,
        "unsubscribe_url": values["unsubscribe_url"],
    }
    return Composed("email", recipient, said)


async def _values(
    tx: AsyncSession, composer: MessageComposer, request: SendRequest, samples: bool
) -> Mapping[str, Any]:
    if samples:
        return {**SAMPLE, "code": sample_code(request.params)}
    return await composer.values.sample(tx, request)


def _marked(action: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The same, so that nobody takes it for the real thing."""
    marked = dict(content)
    for name in ("subject", "title") if action != RecoveryAction.SEND_SMS else ("text",):
        if isinstance(marked.get(name), str):
            marked[name] = f"{MARK} {marked[name]}"
    if action == RecoveryAction.CALL_WEBHOOK:
        inside = "data" if "data" in marked else "properties"
        marked[inside] = {**marked[inside], "test": True}
    if action == RecoveryAction.TRIGGER_RETARGETING:
        marked["event_id"] = f"test-{uuid4()}"
    return marked


def _address(to: str) -> str:
    try:
        return address(to)
    except MailInvalid:
        raise Refused("to: is no e-mail address that can be written to.", field="to") from None


async def _subscription(tx: AsyncSession, project_id: UUID, to: str) -> PushSubscription:
    try:
        identifier = UUID(to)
    except ValueError:
        identifier = NOBODY
    found = await tx.get(PushSubscription, (project_id, identifier))
    if found is None:
        raise Refused(f"to: there is no push subscription {to[:60]!r} in this project.", field="to")
    return found
