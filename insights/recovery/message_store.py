"""Stores the messages of a shop: drafts, versions, and the one that goes out under a name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from pydantic import ValidationError
from sqlalchemy import delete as delete_from
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.documents import same
from flows.errors import Fault
from flows.models import Flow, FlowVersion
from insights.errors import Changed, Conflict, InUse, NotFound, Refused
from insights.models import Message, MessageVersion
from insights.recovery.document_faults import escaped, faults_of
from insights.recovery.message_content import MessageContent
from insights.recovery.message_faults import Patience, faults_of_message, needs_of_message
from insights.recovery.message_render import MessageTemplates
from insights.recovery.rendering import Rendering
from insights.recovery.templates import Messages

MOST_MESSAGES: Final = 300
"""In a project."""


class MessageInvalid(Refused):
    """The message cannot be published. ``faults``: everything wrong with it."""

    status = 422
    title = "The message cannot be published"

    def __init__(self, faults: Sequence[Fault]) -> None:
        count = len(faults)
        super().__init__(
            f"{count} {'thing is' if count == 1 else 'things are'} wrong; faults says where, and how to mend it.",
            field="content",
        )
        self.faults = tuple(faults)


async def list_messages(tx: AsyncSession, project_id: UUID) -> list[Message]:
    """All of them by name."""
    return list(await tx.scalars(select(Message).where(Message.project_id == project_id).order_by(Message.name)))


async def get_message(tx: AsyncSession, project_id: UUID, name: str, *, lock: bool = False) -> Message:
    """One of them. Raises NotFound."""
    query = select(Message).where(Message.project_id == project_id, Message.name == name)
    found = await tx.scalar(query.with_for_update().execution_options(populate_existing=True) if lock else query)
    if found is None:
        raise NotFound(f"There is no message {name[:60]!r} in this project. GET /v1/messages lists them.")
    return found


async def create_message(
    tx: AsyncSession, project_id: UUID, name: str, description: str, content: dict[str, Any], now: datetime
) -> Message:
    """A new draft. Raises InUse when the name is taken."""
    count = await tx.scalar(select(func.count()).select_from(Message).where(Message.project_id == project_id))
    if (count or 0) >= MOST_MESSAGES:
        raise Conflict(f"There are {MOST_MESSAGES} messages already, the most there may be; delete one first.")
    made = Message(
        project_id=project_id,
        id=uuid4(),
        name=name,
        description=description,
        draft=content,
        revision=1,
        published=None,
        created_at=now,
        updated_at=now,
    )
    tx.add(made)
    try:
        await tx.flush()
    except IntegrityError as error:
        raise InUse(f"Another message is called {name!r}; give this one another name.", field="name") from error
    return made


async def save_message(
    tx: AsyncSession,
    project_id: UUID,
    name: str,
    description: str,
    content: dict[str, Any],
    now: datetime,
    revision: int | None,
) -> Message:
    """Replaces the draft; what is published goes on. ``revision``: only if it is still that one. Raises Changed."""
    message = await _locked(tx, project_id, name, revision)
    if not same((message.description, message.draft), (description, content)):
        message.description, message.draft = description, content
        message.revision += 1
        message.updated_at = now
        await tx.flush()
    return message


async def publish_message(
    tx: AsyncSession,
    project_id: UUID,
    name: str,
    now: datetime,
    revision: int | None,
    rendering: Rendering,
) -> tuple[Message, bool]:
    """What goes out under the name from now on, also in runs under way; says whether that is something new.

    Raises MessageInvalid with everything wrong, also where a live flow sends it without what it needs; Changed.
    """
    message = await _locked(tx, project_id, name, revision)
    content, faults, needs = await rendering.beside(project_id, look_over, message.draft, rendering.templates)
    if content is not None:
        faults += await _unmet(tx, project_id, name, needs)
    if content is None or faults:
        raise MessageInvalid(faults)
    body = content.model_dump(mode="json")
    latest = await _latest(tx, project_id, message.id)
    if latest is not None and latest.content == body:
        return message, False
    number = 1 if latest is None else latest.number + 1
    tx.add(MessageVersion(project_id=project_id, message_id=message.id, number=number, content=body, published_at=now))
    message.draft, message.published = body, number
    message.revision += 1
    message.updated_at = now
    await tx.flush()
    return message, True


async def delete_message(
    tx: AsyncSession, project_id: UUID, name: str, revision: int | None, shipped: Messages
) -> None:
    """Deletes a message that no live flow sends, or that takes the place of one that comes along. Raises InUse."""
    message = await _locked(tx, project_id, name, revision)
    users = [flow for flow, _, _ in await _senders(tx, project_id, name)]
    if users and name not in shipped.names:
        raise InUse(f"It is sent by {', '.join(sorted(set(users)))}: change or pause these flows first.")
    await tx.execute(
        delete_from(MessageVersion).where(
            MessageVersion.project_id == project_id, MessageVersion.message_id == message.id
        )
    )
    await tx.delete(message)
    await tx.flush()


async def versions_of_message(tx: AsyncSession, project_id: UUID, name: str) -> list[MessageVersion]:
    """What was published, the newest first. Raises NotFound."""
    message = await get_message(tx, project_id, name)
    found = await tx.scalars(
        select(MessageVersion)
        .where(MessageVersion.project_id == project_id, MessageVersion.message_id == message.id)
        .order_by(MessageVersion.number.desc())
    )
    return list(found)


async def published_message(tx: AsyncSession, project_id: UUID, name: str) -> MessageContent | None:
    """What goes out under a name, if the shop has published a message of its own under it."""
    row = (
        await tx.execute(
            select(MessageVersion.content)
            .join(
                Message,
                (Message.project_id == MessageVersion.project_id)
                & (Message.id == MessageVersion.message_id)
                & (Message.published == MessageVersion.number),
            )
            .where(Message.project_id == project_id, Message.name == name)
        )
    ).one_or_none()
    return None if row is None else MessageContent.model_validate(row.content)


async def published_needs(
    tx: AsyncSession, project_id: UUID, names: Sequence[str], looking: Rendering, shipped: Messages
) -> dict[str, set[str]]:
    """Message → the parameters that a step must have to send it, of those of ``names`` that there are."""
    found: dict[str, set[str]] = {}
    for name in set(names):
        content = await published_message(tx, project_id, name) or shipped.content(name)
        if content is not None:
            found[name] = await looking.beside(project_id, needs_of_message, content, looking.templates)
    return found


async def names_of_messages(tx: AsyncSession, project_id: UUID, shipped: Messages) -> list[str]:
    """Everything that a step may send."""
    own = await tx.scalars(select(Message.name).where(Message.project_id == project_id, Message.published.is_not(None)))
    return sorted({*own, *shipped.names})


def check_message(
    document: object, templates: MessageTemplates, patience: Patience | None = None
) -> tuple[MessageContent | None, list[Fault]]:
    """The message that a document stands for, None where it cannot be read, and everything wrong with it.

    It takes a while: a thread's work, not the event loop's.
    """
    try:
        content = MessageContent.model_validate(document)
    except ValidationError as error:
        return None, faults_of(error, document, MessageContent)
    return content, faults_of_message(content, templates, patience)


def look_over(document: object, templates: MessageTemplates) -> tuple[MessageContent | None, list[Fault], set[str]]:
    """As ``check_message``, with the parameters that a step must have to send it: none where it has faults."""
    content, faults = check_message(document, templates)
    return content, faults, needs_of_message(content, templates) if content is not None and not faults else set()


async def _locked(tx: AsyncSession, project_id: UUID, name: str, revision: int | None) -> Message:
    message = await get_message(tx, project_id, name, lock=True)
    if revision is not None and revision != message.revision:
        raise Changed(f"The message is at revision {message.revision}. Read it again and repeat your change.")
    return message


async def _latest(tx: AsyncSession, project_id: UUID, message_id: UUID) -> MessageVersion | None:
    return await tx.scalar(
        select(MessageVersion)
        .where(MessageVersion.project_id == project_id, MessageVersion.message_id == message_id)
        .order_by(MessageVersion.number.desc())
        .limit(1)
    )


async def _senders(tx: AsyncSession, project_id: UUID, name: str) -> list[tuple[str, str, dict[str, Any]]]:
    """The live flows that send a message: the flow, the step, its parameters."""
    rows = await tx.execute(
        select(Flow.name, FlowVersion.definition)
        .join(FlowVersion, (FlowVersion.project_id == Flow.project_id) & (FlowVersion.id == Flow.version_id))
        .where(Flow.project_id == project_id)
    )
    return [
        (flow, step_id, params)
        for flow, definition in rows
        for step_id, step in definition.get("steps", {}).items()
        if (params := step.get("params") or {}).get("message") == name
    ]


async def _unmet(tx: AsyncSession, project_id: UUID, name: str, needed: set[str]) -> list[Fault]:
    return [
        Fault(
            "/locales",
            f"needs {param}, and the flow {flow!r} sends it in step {escaped(step)!r} without",
            f"leave out what needs {param}, or give that step {param} and publish the flow first",
        )
        for flow, step, params in await _senders(tx, project_id, name)
        for param in sorted(needed)
        if params.get(param) is None
    ]
