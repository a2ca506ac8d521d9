"""Members of a project over HTTP: who they are, what they may do, who is invited."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from insights.access import members
from insights.access.roles import Role
from insights.api.caller import SecretCaller
from insights.api.services import FromRequest
from insights.api.stored import StoredBody

router = APIRouter(prefix="/v1/members", tags=["access"])


class InvitationIn(StoredBody):
    """Whom to invite. With a mail relay the link is mailed to them, too."""

    email: str = Field(max_length=254)
    role: Role = Role.READER


class RoleIn(StoredBody):
    """The role to give."""

    role: Role


class MemberOut(BaseModel):
    """Somebody who may look into the project."""

    id: UUID
    email: str
    role: Role
    since: datetime


class InvitationOut(BaseModel):
    """Somebody who may become a member until ``expires_at``."""

    id: UUID
    email: str
    role: Role
    created_at: datetime
    expires_at: datetime


class NewInvitationOut(InvitationOut):
    """An invitation just made. ``link`` is shown this once and works once; ``mailed``: it is on its way, too."""

    link: str
    mailed: bool


class MemberList(BaseModel):
    """Members by e-mail address, and invitations that nobody accepted yet."""

    members: list[MemberOut]
    invitations: list[InvitationOut]


@router.get("", response_model=MemberList)
async def list_members(caller: SecretCaller, services: FromRequest) -> MemberList:
    """Everybody who may look into the project, and who is invited."""
    async with services.database.transaction(caller.project_id) as tx:
        found = await members.members_of(tx, caller.project_id)
        invited = await members.invitations_of(tx, caller.project_id, datetime.now(UTC))
    return MemberList(
        members=[_out(one) for one in found],
        invitations=[InvitationOut.model_validate(one, from_attributes=True) for one in invited],
    )


@router.post("/invitations", response_model=NewInvitationOut, status_code=201)
async def invite(body: InvitationIn, caller: SecretCaller, services: FromRequest) -> NewInvitationOut:
    """Invites somebody. An earlier invitation of the same address is revoked."""
    async with services.database.transaction(caller.project_id) as tx:
        made, token = await members.invite(tx, caller.project_id, body.email, body.role, datetime.now(UTC))
        out = InvitationOut.model_validate(made, from_attributes=True)
    services.post.invite(out.email, "An admin", caller.project_name, token)
    return NewInvitationOut(
        **out.model_dump(), link=services.post.invitation_link(token), mailed=services.post.can_send
    )


@router.delete("/invitations/{invitation_id}", status_code=204)
async def revoke_invitation(invitation_id: UUID, caller: SecretCaller, services: FromRequest) -> None:
    """The invitation's link works no more."""
    async with services.database.transaction(caller.project_id) as tx:
        await members.revoke_invitation(tx, caller.project_id, invitation_id, datetime.now(UTC))


@router.patch("/{member_id}", response_model=MemberOut)
async def give_role(member_id: UUID, body: RoleIn, caller: SecretCaller, services: FromRequest) -> MemberOut:
    """Gives a member another role. Their logins into the project are over."""
    async with services.database.transaction(caller.project_id) as tx:
        return _out(await members.give_role(tx, caller.project_id, member_id, body.role, datetime.now(UTC)))


@router.delete("/{member_id}", status_code=204)
async def remove_member(member_id: UUID, caller: SecretCaller, services: FromRequest) -> None:
    """Takes somebody out of the project. Their logins into it are over at once."""
    async with services.database.transaction(caller.project_id) as tx:
        await members.remove_member(tx, caller.project_id, member_id, datetime.now(UTC))


def _out(one: members.Belonging) -> MemberOut:
    return MemberOut(id=one.member_id, email=one.email, role=one.role, since=one.since)
