"""Keys of a project over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from insights.access import issuing
from insights.access.roles import Role
from insights.api.caller import SecretCaller
from insights.api.given import Whole
from insights.api.services import FromRequest
from insights.api.stored import StoredBody
from insights.errors import Conflict
from insights.models import ApiKey

router = APIRouter(prefix="/v1/keys", tags=["access"])


class KeyIn(StoredBody):
    """A key to make. ``role`` (reader where left out) and ``scopes`` are of secret keys only."""

    kind: Literal["write", "secret"]
    name: str = Field("", max_length=80, description="What it is for, so that it can be told from others.")
    role: Role | None = None
    scopes: list[str] = Field(
        default_factory=list,
        max_length=100,
        description="Limits the role to these, such as read:sessions or write:flows; empty is no limit.",
    )


class KeyChange(StoredBody):
    """What is to be different; what is left out stays."""

    name: str | None = Field(None, max_length=80)
    role: Role | None = None
    scopes: list[str] | None = Field(None, max_length=100)


class RotateIn(StoredBody):
    """How long the old key stays good beside the new one."""

    overlap_seconds: Whole = Field(86_400, ge=0, le=int(issuing.LONGEST_OVERLAP.total_seconds()))


class KeyOut(BaseModel):
    """A key as it can be seen. ``prefix``: its first characters; ``last_used_at``: to within five minutes."""

    id: UUID
    kind: str
    name: str
    role: Role | None
    scopes: list[str]
    prefix: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by: UUID | None


class NewKeyOut(KeyOut):
    """A key just made. ``key`` is shown this once."""

    key: str


class KeyList(BaseModel):
    """Every key, revoked ones too, the newest first."""

    keys: list[KeyOut]


@router.get("", response_model=KeyList)
async def list_keys(caller: SecretCaller, services: FromRequest) -> KeyList:
    """Every key of the project, without the keys themselves: only their hashes are kept."""
    async with services.database.transaction(caller.project_id) as tx:
        return KeyList(keys=[_out(key) for key in await issuing.keys_of(tx, caller.project_id)])


@router.post("", response_model=NewKeyOut, status_code=201)
async def create_key(body: KeyIn, caller: SecretCaller, services: FromRequest) -> NewKeyOut:
    """A new key. It is in this answer and nowhere else."""
    async with services.database.transaction(caller.project_id) as tx:
        row, key = await issuing.issue(
            tx,
            caller.project_id,
            kind=body.kind,
            role=body.role,
            scopes=body.scopes,
            name=body.name,
            now=datetime.now(UTC),
        )
        return _new(row, key)


@router.get("/{key_id}", response_model=KeyOut)
async def get_key(key_id: UUID, caller: SecretCaller, services: FromRequest) -> KeyOut:
    """One key."""
    async with services.database.transaction(caller.project_id) as tx:
        return _out(await issuing.key_of(tx, caller.project_id, key_id))


@router.patch("/{key_id}", response_model=KeyOut)
async def change_key(key_id: UUID, body: KeyChange, caller: SecretCaller, services: FromRequest) -> KeyOut:
    """Another name, role or scopes. It holds in every process at once."""
    async with services.database.transaction(caller.project_id) as tx:
        return _out(
            await issuing.change(
                tx,
                caller.project_id,
                key_id,
                name=body.name,
                role=body.role,
                scopes=body.scopes,
                now=datetime.now(UTC),
            )
        )


@router.post("/{key_id}/rotate", response_model=NewKeyOut, status_code=201)
async def rotate_key(key_id: UUID, body: RotateIn, caller: SecretCaller, services: FromRequest) -> NewKeyOut:
    """A new key with the same role and scopes; the old one stays good for the overlap, a day where none is given."""
    async with services.database.transaction(caller.project_id) as tx:
        row, key = await issuing.rotate(
            tx,
            caller.project_id,
            key_id,
            overlap=timedelta(seconds=body.overlap_seconds),
            now=datetime.now(UTC),
        )
        return _new(row, key)


@router.delete("/{key_id}", response_model=KeyOut)
async def revoke_key(key_id: UUID, caller: SecretCaller, services: FromRequest) -> KeyOut:
    """Ends a key at once, in every process. The key that asks cannot end itself: nobody locks themselves out."""
    if key_id == caller.id:
        raise Conflict("This is the key you are using. Revoke it with another one.")
    async with services.database.transaction(caller.project_id) as tx:
        return _out(await issuing.revoke(tx, caller.project_id, key_id, datetime.now(UTC)))


def _out(key: ApiKey) -> KeyOut:
    return KeyOut.model_validate(key, from_attributes=True)


def _new(row: ApiKey, key: str) -> NewKeyOut:
    return NewKeyOut(**_out(row).model_dump(), key=key)
