"""A flow as one file with the messages it sends: exported from one project, read into another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from insights.building import drafts
from insights.building.drafts import BuiltFlow
from insights.errors import Refused
from insights.recovery.message_store import create_message, list_messages
from insights.vocabulary.handles import HANDLE

FORMAT: Final = "whyleft-flow"
VERSION: Final = 1
MOST_MESSAGES: Final = 50


async def bundle(tx: AsyncSession, project_id: UUID, built: BuiltFlow) -> dict[str, Any]:
    """The draft of a flow, and the drafts of the shop's own messages among those that it sends."""
    sent = set(_sent(built.definition))
    messages = {
        message.name: {"description": message.description, "content": message.draft}
        for message in await list_messages(tx, project_id)
        if message.name in sent
    }
    return {"format": FORMAT, "version": VERSION, "flow": built.definition, "messages": messages}


def flow_in(document: object) -> dict[str, Any]:
    """The definition in such a file, or in a bare definition. Raises Refused."""
    if isinstance(document, dict) and document.get("format") == FORMAT:
        if document.get("version") != VERSION:
            raise Refused(f"version: this server reads version {VERSION} of the format.", field="version")
        _messages_in(document)
        document = document.get("flow")
    elif not isinstance(document, dict) or "steps" not in document:
        raise Refused(
            'format: this is no exported flow; it begins with {"format": "whyleft-flow", "version": 1, "flow": …}.',
            field="format",
        )
    if not isinstance(document, dict):
        raise Refused("flow: must be the definition of a flow, an object.", field="flow")
    return document


async def read_in(
    tx: AsyncSession, project_id: UUID, document: object, definition: dict[str, Any], now: datetime
) -> BuiltFlow:
    """A new draft of ``definition``, and drafts of the messages in the file that this project has none of. Raises
    Refused, InUse."""
    known = {message.name for message in await list_messages(tx, project_id)}
    for name, message in _messages_in(document).items():
        if name not in known:
            await create_message(tx, project_id, name, message["description"], message["content"], now)
    return await drafts.create(tx, project_id, definition, now)


def _messages_in(document: object) -> dict[str, dict[str, Any]]:
    given = document.get("messages", {}) if isinstance(document, dict) and document.get("format") == FORMAT else {}
    if not isinstance(given, dict) or len(given) > MOST_MESSAGES:
        raise Refused(f"messages: must be an object of at most {MOST_MESSAGES} messages by name.", field="messages")
    found = {}
    for name, message in given.items():
        content = message.get("content") if isinstance(message, dict) else None
        if not HANDLE.fullmatch(name) or not isinstance(content, dict):
            raise Refused(f"messages: {name[:60]!r} is no message with a name and content.", field="messages")
        description = message.get("description")
        found[name] = {"content": content, "description": description[:500] if isinstance(description, str) else ""}
    return found


def _sent(definition: dict[str, Any]) -> Iterator[str]:
    steps = definition.get("steps")
    for step in steps.values() if isinstance(steps, dict) else ():
        params = step.get("params") if isinstance(step, dict) else None
        name = params.get("message") if isinstance(params, dict) else None
        if isinstance(name, str):
            yield name
