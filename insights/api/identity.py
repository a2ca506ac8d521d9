"""Identity verification over HTTP: whether who somebody is must be signed, with which secrets, and how much is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlalchemy import select

from insights.access.projects import project_of
from insights.api.caller import SecretCaller
from insights.api.given import Whole
from insights.api.services import FromRequest
from insights.api.stored import StoredBody
from insights.identity import secrets
from insights.identity.proof import Mode
from insights.models import IdentityClaim

router = APIRouter(prefix="/v1/identity", tags=["access"])

SHOWN: Final = timedelta(days=30)


class IdentityMode(StoredBody):
    """off: whoever has the public key may say who somebody is. observe: so they may, and what is signed is counted.
    required: of what they say only what is signed is believed."""

    mode: Mode


class IdentitySecretIn(StoredBody):
    """How long what was signed with the secrets before it is believed, too."""

    overlap_seconds: Whole = Field(86_400, ge=0, le=int(timedelta(days=90).total_seconds()))


class IdentitySecretOut(BaseModel):
    """A secret that is good. ``expires_at``: until when, for one that another took the place of."""

    id: UUID
    created_at: datetime
    expires_at: datetime | None


class NewIdentitySecretOut(IdentitySecretOut):
    """A secret just made. ``secret`` is shown this once; it belongs on the shop's server, and into no page."""

    secret: str


class IdentityClaimsOut(BaseModel):
    """How many claims of one kind of name came on a day (UTC), and what was thought of them."""

    day: date
    name: Literal["user_id", "email", "phone"]
    verdict: Literal["signed", "unsigned", "wrong"]
    claims: int


class IdentityOut(BaseModel):
    """What holds now, and the claims of the last 30 days, the latest day first."""

    mode: Mode
    secrets: list[IdentitySecretOut]
    claims: list[IdentityClaimsOut]


@router.get("", response_model=IdentityOut)
async def get_identity(caller: SecretCaller, services: FromRequest) -> IdentityOut:
    """Whether who somebody is must be signed, and how much of what was claimed is."""
    now = datetime.now(UTC)
    async with services.database.transaction(caller.project_id) as tx:
        project = await project_of(tx, caller.project_id)
        good = await secrets.secrets_of(tx, caller.project_id, now)
        claims = await tx.scalars(
            select(IdentityClaim)
            .where(IdentityClaim.project_id == caller.project_id, IdentityClaim.day > (now - SHOWN).date())
            .order_by(IdentityClaim.day.desc(), IdentityClaim.name, IdentityClaim.verdict)
        )
        return IdentityOut(
            mode=Mode(project.identity_mode),
            secrets=[IdentitySecretOut.model_validate(one, from_attributes=True) for one in good],
            claims=[IdentityClaimsOut.model_validate(one, from_attributes=True) for one in claims],
        )


@router.patch("", response_model=IdentityOut)
async def change_identity(body: IdentityMode, caller: SecretCaller, services: FromRequest) -> IdentityOut:
    """Asks for signatures, or no more. It holds in every process at once."""
    async with services.database.transaction(caller.project_id) as tx:
        await secrets.set_mode(tx, caller.project_id, body.mode, datetime.now(UTC))
    return await get_identity(caller, services)


@router.post("/secrets", response_model=NewIdentitySecretOut, status_code=201)
async def make_identity_secret(
    body: IdentitySecretIn, caller: SecretCaller, services: FromRequest
) -> NewIdentitySecretOut:
    """A new secret. It is in this answer and nowhere else; those before it stay good for the overlap, a day where none
    is given."""
    async with services.database.transaction(caller.project_id) as tx:
        row, secret = await secrets.make_secret(
            tx,
            services.sealer,
            caller.project_id,
            overlap=timedelta(seconds=body.overlap_seconds),
            now=datetime.now(UTC),
        )
        return NewIdentitySecretOut(id=row.id, created_at=row.created_at, expires_at=row.expires_at, secret=secret)


@router.delete("/secrets/{secret_id}", status_code=204)
async def end_identity_secret(secret_id: UUID, caller: SecretCaller, services: FromRequest) -> Response:
    """What was signed with it is believed no more."""
    async with services.database.transaction(caller.project_id) as tx:
        await secrets.end_secret(tx, caller.project_id, secret_id, datetime.now(UTC))
    return Response(status_code=204)
