"""The shop's own messages over HTTP: write, check, look at with real data, send to oneself, publish."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

from fastapi import APIRouter, Path, Response
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.contract import Accepted, SendIntent
from adapters.channels.mail import MailInvalid, address
from flows.errors import Fault
from flows.ports import SendRequest
from insights.access.keys import ResolvedKey
from insights.api.caller import SecretCaller
from insights.api.etag import IfMatch, etag_of, version_of
from insights.api.flow_shapes import faults_out
from insights.api.message_shapes import (
    BuiltInMessage,
    ContentIn,
    MessageChange,
    MessageChecked,
    MessageIn,
    MessageList,
    MessageOut,
    MessagePreviewIn,
    MessageTestIn,
    MessageVersionOut,
    MessageVersions,
    Preview,
    PublishedMessage,
    Tested,
    ValueOut,
)
from insights.api.once import Answer, OnceOnly
from insights.api.services import FromRequest
from insights.api.whole_names import sees_names
from insights.building.cases import last_session_of, trigger_of_session
from insights.errors import Conflict, Refused
from insights.models import Message
from insights.recovery import message_store as store
from insights.recovery.message_content import MessageContent
from insights.recovery.message_faults import SAMPLE, Patience, needs_of_message
from insights.recovery.message_render import MessageBroken, Rendered
from insights.recovery.message_store import MessageInvalid
from insights.recovery.message_values import VALUES, Value
from insights.vocabulary.actions import RecoveryAction
from insights.wiring.services import Services

router = APIRouter(prefix="/v1/messages", tags=["messages"])

LONGEST_LIST: Final = 3.0
"""Seconds that the messages of a list are tried for, all together."""

Name = Annotated[str, Path(min_length=1, max_length=60)]


@router.get("/schema")
async def schema() -> dict[str, Any]:
    """JSON Schema of a message's content."""
    return MessageContent.model_json_schema()


@router.get("/values", response_model=dict[str, ValueOut])
async def values() -> dict[str, ValueOut]:
    """Every value that a message may speak of."""
    return {name: _value(value) for name, value in VALUES.items()}


@router.get("", response_model=MessageList)
async def list_messages(caller: SecretCaller, services: FromRequest) -> MessageList:
    """The messages of the project by name, and those that come along, to be copied."""
    async with services.database.transaction(caller.project_id) as tx:
        found = await store.list_messages(tx, caller.project_id)
    shipped = services.composer.messages
    contents = {name: shipped.content(name) for name in sorted(shipped.names)}
    return MessageList(
        messages=await services.composer.rendering.beside(caller.project_id, _all_out, found, services),
        built_in=[
            BuiltInMessage(
                name=name,
                content=content.model_dump(mode="json"),
                needs=sorted(needs_of_message(content, services.composer.templates)),
            )
            for name, content in contents.items()
            if content is not None
        ],
    )


@router.post("", response_model=MessageOut, status_code=201)
async def create_message(body: MessageIn, caller: SecretCaller, services: FromRequest, once: OnceOnly) -> Response:
    """A new message as a draft: nothing sends it before it is published."""

    async def work(tx: AsyncSession) -> Answer:
        made = await store.create_message(
            tx, caller.project_id, body.name, body.description, body.content, datetime.now(UTC)
        )
        headers = {"etag": etag_of(made.revision), "location": f"/v1/messages/{made.name}"}
        return Answer(await services.composer.rendering.beside(caller.project_id, _out, made, services), headers, 201)

    return await once.do(work)


@router.post("/validate", response_model=MessageChecked)
async def validate(body: ContentIn, caller: SecretCaller, services: FromRequest) -> MessageChecked:
    """Everything wrong with a message: in every language and part, what cannot be read, and names that nobody gives."""
    rendering = services.composer.rendering
    work = rendering.beside(caller.project_id, store.look_over, body.content, rendering.templates)
    _, faults, needs = await work
    return MessageChecked(valid=not faults, faults=faults_out(faults), needs=sorted(needs))


@router.post("/preview", response_model=Preview)
async def preview(body: MessagePreviewIn, caller: SecretCaller, services: FromRequest) -> Preview:
    """The message with the data of a real visit, or with samples. Nothing is sent, and no code is issued."""
    mail, content, session_id = await _example(services, caller, body)
    return Preview(
        subject=mail.subject,
        html=mail.html,
        text=mail.text,
        locale=content.locale_for(body.locale),
        with_data_of=session_id,
    )


@router.post("/test", response_model=Tested)
async def test(body: MessageTestIn, caller: SecretCaller, services: FromRequest) -> Tested:
    """Sends the preview to an address of your own, through the channel that would carry it. It counts nowhere."""
    try:
        recipient = address(body.to)
    except MailInvalid:
        raise Refused("to: is no e-mail address that can be written to.", field="to") from None
    mail, _, _ = await _example(services, caller, body)
    async with services.database.transaction(caller.project_id) as tx:
        ways = await services.channels.of(tx, caller.project_id)
    named = body.params.get("channel")
    channel = ways.get(str(named) if named else "email")
    if channel is None or channel.name != "email":
        raise Conflict("No e-mail channel is set up for this project: POST /v1/channels makes one.")
    content = {
        "subject": f"[Test] {mail.subject}",
        "text": mail.text,
        "html": mail.html,
        "unsubscribe_url": f"{services.composer.links.public_url}/v1/unsubscribe?token=sample",
    }
    answer = await channel.send(SendIntent(key=str(uuid4()), recipient=recipient, content=content))
    detail = answer.detail if isinstance(answer, Accepted) else answer.why
    return Tested(result=type(answer).__name__.lower(), detail=detail)


@router.get("/{name}", response_model=MessageOut)
async def get_message(name: Name, caller: SecretCaller, services: FromRequest, response: Response) -> MessageOut:
    """A message with its draft, and what keeps it from being published."""
    async with services.database.transaction(caller.project_id) as tx:
        message = await store.get_message(tx, caller.project_id, name)
    response.headers["etag"] = etag_of(message.revision)
    return await services.composer.rendering.beside(caller.project_id, _out, message, services)


@router.put("/{name}", response_model=MessageOut)
async def save_message(
    name: Name,
    body: MessageChange,
    caller: SecretCaller,
    services: FromRequest,
    response: Response,
    if_match: IfMatch = None,
) -> MessageOut:
    """Replaces the draft; what is published goes on. With If-Match only if nobody changed it meanwhile."""
    async with services.database.transaction(caller.project_id) as tx:
        message = await store.save_message(
            tx,
            caller.project_id,
            name,
            body.description,
            body.content,
            datetime.now(UTC),
            version_of(if_match),
        )
    response.headers["etag"] = etag_of(message.revision)
    return await services.composer.rendering.beside(caller.project_id, _out, message, services)


@router.post("/{name}/publish", response_model=PublishedMessage)
async def publish(
    name: Name, caller: SecretCaller, services: FromRequest, once: OnceOnly, if_match: IfMatch = None
) -> Response:
    """The draft is what goes out from now on, also in runs under way. Refused with everything wrong, also where a live
    flow sends it without a parameter that it needs."""

    async def work(tx: AsyncSession) -> Answer:
        message, new = await store.publish_message(
            tx, caller.project_id, name, datetime.now(UTC), version_of(if_match), services.composer.rendering
        )
        shown = PublishedMessage(
            **(await services.composer.rendering.beside(caller.project_id, _out, message, services)).model_dump(),
            new_version=new,
        )
        return Answer(shown, {"etag": etag_of(message.revision)})

    return await once.do(work)


@router.get("/{name}/versions", response_model=MessageVersions)
async def versions(name: Name, caller: SecretCaller, services: FromRequest) -> MessageVersions:
    """What was published, the newest first."""
    async with services.database.transaction(caller.project_id) as tx:
        found = await store.versions_of_message(tx, caller.project_id, name)
    return MessageVersions(
        versions=[
            MessageVersionOut(number=one.number, published_at=one.published_at, content=one.content) for one in found
        ]
    )


@router.delete("/{name}", status_code=204)
async def delete_message(name: Name, caller: SecretCaller, services: FromRequest, if_match: IfMatch = None) -> None:
    """Deletes a message that no live flow sends; one in the place of a message that comes along gives it back."""
    async with services.database.transaction(caller.project_id) as tx:
        await store.delete_message(tx, caller.project_id, name, version_of(if_match), services.composer.messages)


async def _example(
    services: Services, caller: ResolvedKey, body: MessagePreviewIn
) -> tuple[Rendered, MessageContent, UUID | None]:
    composer = services.composer
    if (body.message is None) == (body.content is None):
        raise Refused("message: give either message (a name) or content.", field="message")
    async with services.database.transaction(caller.project_id) as tx:
        document = body.content
        if body.message is not None:
            found = composer.messages.content(body.message)
            own = [one for one in await store.list_messages(tx, caller.project_id) if one.name == body.message]
            document = own[0].draft if own else found.model_dump(mode="json") if found is not None else None
            if document is None:
                await store.get_message(tx, caller.project_id, body.message)
        content, faults = await composer.rendering.beside(
            caller.project_id, store.check_message, document, composer.templates
        )
        if content is None or faults:
            raise MessageInvalid(faults)
        session_id = body.session
        if session_id is None and body.visitor is not None:
            session_id = await last_session_of(tx, caller.project_id, body.visitor)
        try:
            if session_id is None:
                said = await composer.rendering.message(caller.project_id, content, body.locale, SAMPLE)
                return said, content, None
            trigger = await trigger_of_session(tx, caller.project_id, session_id)
            request = SendRequest(
                project_id=caller.project_id,
                visitor_id=trigger.visitor_id,
                run_id=uuid4(),
                step_id="preview",
                action=RecoveryAction.SEND_EMAIL.value,
                params=body.params,
                trigger=trigger.facts,
                now=datetime.now(UTC),
            )
            known_as = None if sees_names(caller) else SAMPLE
            return await composer.example(tx, request, content, body.locale, known_as), content, session_id
        except MessageBroken as error:
            raise MessageInvalid([Fault("", f"the message {error}", "mend it there")]) from error


def _all_out(messages: Sequence[Message], services: Services) -> list[MessageOut]:
    patience = Patience(LONGEST_LIST)
    return [_out(message, services, patience) for message in messages]


def _out(message: Message, services: Services, patience: Patience | None = None) -> MessageOut:
    _, faults = store.check_message(message.draft, services.composer.templates, patience)
    return MessageOut(
        id=message.id,
        name=message.name,
        description=message.description,
        content=message.draft,
        revision=message.revision,
        published=message.published,
        replaces_built_in=message.name in services.composer.messages.names,
        created_at=message.created_at,
        updated_at=message.updated_at,
        faults=faults_out(faults),
    )


def _value(value: Value) -> ValueOut:
    return ValueOut(
        says=value.says,
        many=value.many,
        open=value.open,
        needs=value.needs,
        inside={name: _value(one) for name, one in value.inside.items()},
    )
