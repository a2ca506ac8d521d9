"""A project's channels over HTTP. Credentials are taken in and never given out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from adapters.channels.kinds import KINDS
from insights.access.keys import ResolvedKey
from insights.api.caller import SecretCaller
from insights.api.given import Flag
from insights.api.services import FromRequest
from insights.api.stored import StoredBody
from insights.api.whole_names import heard_shown_to
from insights.channels import store
from insights.channels.trial import send_test
from insights.models import ChannelSetup
from insights.vocabulary.addresses import address_of

router = APIRouter(prefix="/v1/channels", tags=["channels"])

Secrets = Annotated[
    dict[str, SecretStr | None],
    Field(
        description="By field of the kind's credentials schema. Never given out again; null forgets one.",
        max_length=20,
        json_schema_extra={"writeOnly": True},
    ),
]


class ChannelIn(StoredBody):
    """A new channel."""

    kind: str = Field(max_length=40, description="One of GET /v1/channels/kinds.")
    name: str = Field(
        max_length=60, description="What you call it: lower-case letters, digits, - and _. Steps of flows may name it."
    )
    settings: dict[str, Any] = Field({}, description="By the kind's settings schema.")
    credentials: Secrets = Field({})
    enabled: Flag = True


class ChannelChange(StoredBody):
    """What is to change; what is left out stays as it is."""

    settings: dict[str, Any] | None = None
    credentials: Secrets | None = None
    enabled: Flag | None = None


class ChannelHealth(BaseModel):
    """How a channel fares. ``failures``: answers in a row that were no success."""

    last_ok_at: datetime | None
    last_error_at: datetime | None
    last_error: str | None
    failures: int


class ChannelOut(BaseModel):
    """A channel. ``carries``: it is the one that sends ``word`` unless a step names another."""

    id: UUID
    kind: str
    word: str
    name: str
    settings: dict[str, Any]
    enabled: bool
    carries: bool
    callback_url: str
    created_at: datetime
    updated_at: datetime
    health: ChannelHealth


class ChannelList(BaseModel):
    """Channels, oldest first, and the words that the server's own channels carry."""

    channels: list[ChannelOut]
    servers: list[str]


class KindOut(BaseModel):
    """A kind of channel and the forms it takes, as JSON Schema. ``repeat``: what a second copy does there."""

    model_config = ConfigDict(ser_json_timedelta="float")

    kind: str
    title: str
    word: str
    repeat: str
    remembered_seconds: float | None
    per_second: float
    settings: dict[str, Any]
    credentials: dict[str, Any]


class KindList(BaseModel):
    """Kinds by name."""

    kinds: list[KindOut]


@router.get("/kinds", response_model=KindList)
async def channel_kinds(caller: SecretCaller) -> KindList:
    """What channels there can be."""
    return KindList(
        kinds=[
            KindOut(
                kind=name,
                title=kind.title,
                word=kind.word,
                repeat=kind.idempotency,
                remembered_seconds=None if kind.key_ttl is None else kind.key_ttl.total_seconds(),
                per_second=kind.rate.per_second,
                settings=kind.settings_model.model_json_schema(),
                credentials=kind.credentials_model.model_json_schema(),
            )
            for name, kind in sorted(KINDS.items())
        ]
    )


@router.get("", response_model=ChannelList)
async def list_channels(caller: SecretCaller, services: FromRequest) -> ChannelList:
    """The project's channels and how they fare."""
    async with services.database.transaction(caller.project_id) as tx:
        rows = await store.listed(tx, caller.project_id)
    public_url = services.settings.public_url
    return ChannelList(
        channels=[_out(row, rows, public_url, caller) for row in rows], servers=sorted(services.channels.servers)
    )


@router.post("", response_model=ChannelOut, status_code=201)
async def create_channel(given: ChannelIn, caller: SecretCaller, services: FromRequest) -> ChannelOut:
    """Sets a channel up. Test it with POST /v1/channels/{id}/test."""
    wanted = store.Wanted(given.settings, _plain(given.credentials), given.enabled)
    async with services.database.transaction(caller.project_id) as tx:
        row = await store.create(
            tx, services.sealer, caller.project_id, given.kind, given.name, wanted, datetime.now(UTC)
        )
        rows = await store.listed(tx, caller.project_id)
        return _out(row, rows, services.settings.public_url, caller)


@router.get("/{channel_id}", response_model=ChannelOut)
async def get_channel(channel_id: UUID, caller: SecretCaller, services: FromRequest) -> ChannelOut:
    """One channel."""
    async with services.database.transaction(caller.project_id) as tx:
        row = await store.one(tx, caller.project_id, channel_id)
        rows = await store.listed(tx, caller.project_id)
        return _out(row, rows, services.settings.public_url, caller)


@router.patch("/{channel_id}", response_model=ChannelOut)
async def change_channel(
    channel_id: UUID, given: ChannelChange, caller: SecretCaller, services: FromRequest
) -> ChannelOut:
    """Changes settings, credentials, or whether it is used. New credentials hold from the next message on."""
    credentials = None if given.credentials is None else _plain(given.credentials)
    wanted = store.Wanted(given.settings, credentials, given.enabled)
    async with services.database.transaction(caller.project_id) as tx:
        row = await store.change(tx, services.sealer, caller.project_id, channel_id, wanted, datetime.now(UTC))
        await tx.flush()
        rows = await store.listed(tx, caller.project_id)
        return _out(row, rows, services.settings.public_url, caller)


class ChannelTestIn(StoredBody):
    """Whom a test goes to: somebody who expects it."""

    to: str | None = Field(None, max_length=500, description="Your own address or number, where it writes to somebody.")
    content: dict[str, Any] | None = Field(None, description="In place of the sample.")


class TestOut(BaseModel):
    """What came of it, and what to do. ``result``: accepted, retry, rejected, suppress or unknown."""

    result: str
    said: str
    todo: str
    provider_id: str | None


@router.post("/{channel_id}/test", response_model=TestOut)
async def test_channel(channel_id: UUID, given: ChannelTestIn, caller: SecretCaller, services: FromRequest) -> TestOut:
    """Sends one to yourself and explains the answer."""
    async with services.database.transaction(caller.project_id) as tx:
        name = (await store.one(tx, caller.project_id, channel_id)).name
    trial = await send_test(
        services.database, services.channels, caller.project_id, name, given.to, datetime.now(UTC), given.content
    )
    return TestOut(result=trial.result, said=trial.said, todo=trial.todo, provider_id=trial.provider_id)


@router.delete("/{channel_id}", status_code=204)
async def delete_channel(channel_id: UUID, caller: SecretCaller, services: FromRequest) -> Response:
    """Removes a channel and its credentials. What it sent stays listed."""
    async with services.database.transaction(caller.project_id) as tx:
        await store.remove(tx, caller.project_id, channel_id)
    return Response(status_code=204)


def _plain(given: dict[str, SecretStr | None]) -> dict[str, Any]:
    return {name: None if value is None else value.get_secret_value() for name, value in given.items()}


def _out(row: ChannelSetup, rows: list[ChannelSetup], public_url: str, caller: ResolvedKey) -> ChannelOut:
    first = next((other.id for other in rows if other.enabled and other.word == row.word), None)
    return ChannelOut(
        id=row.id,
        kind=row.kind,
        word=row.word,
        name=row.name,
        settings=row.settings,
        enabled=row.enabled,
        carries=first == row.id,
        callback_url=f"{public_url.rstrip('/')}/v1/callbacks/{address_of(row.project_id, row.id)}",
        created_at=row.created_at,
        updated_at=row.updated_at,
        health=ChannelHealth(
            last_ok_at=row.last_ok_at,
            last_error_at=row.last_error_at,
            last_error=None if row.last_error is None else heard_shown_to(caller, row.last_error),
            failures=row.failures,
        ),
    )
