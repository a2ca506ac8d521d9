"""Decides who belongs to a project and as what: invited by a link that works once, given a role, taken out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.channels.mail import MailInvalid, address
from insights.access.logins import end_logins_of_member
from insights.access.member_passwords import locked_password
from insights.access.roles import Role
from insights.access.tokens import be_member, hash_of, hold, in_project, make_token, name_email
from insights.errors import Conflict, NotFound, Refused
from insights.models import Invitation, Member, Membership, Project
from insights.vocabulary.ids import uuid7

INVITED_FOR: Final = timedelta(days=7)
MOST_INVITATIONS: Final = 200
MOST_PROJECTS: Final = 20
"""Projects that a member may be an admin of by making them: limits are counted for each project."""
_LONGEST_EMAIL: Final = 254


@dataclass(frozen=True, slots=True)
class Belonging:
    """A member as a project sees them."""

    member_id: UUID
    email: str
    role: Role
    since: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """A project that a member belongs to."""

    project_id: UUID
    name: str
    role: Role


def email_of(text: str) -> str:
    """An e-mail address as members are known by: trimmed, in lower case. Raises Refused."""
    try:
        return address(text.strip()).lower()
    except MailInvalid:
        raise Refused("email: this is not an e-mail address.", field="email") from None


def typed_email(text: str) -> str:
    """What somebody typed at the login, as members are known by: ``bücher.example`` is kept in punycode. What is no
    address stays as it is, and is nobody's."""
    short = text.strip()[:_LONGEST_EMAIL]
    try:
        return email_of(short)
    except Refused:
        return short.lower()[:_LONGEST_EMAIL]


async def members_of(tx: AsyncSession, project_id: UUID) -> list[Belonging]:
    """Everybody in a project by e-mail address."""
    rows = await tx.execute(
        select(Member.id, Member.email, Membership.role, Membership.created_at)
        .join(Membership, Membership.member_id == Member.id)
        .where(Membership.project_id == project_id)
        .order_by(Member.email)
    )
    return [Belonging(member_id, email, Role(role), since) for member_id, email, role, since in rows]


async def invitations_of(tx: AsyncSession, project_id: UUID, now: datetime) -> Sequence[Invitation]:
    """Invitations that can still be accepted, the newest first."""
    return (
        await tx.scalars(
            select(Invitation)
            .where(Invitation.project_id == project_id, Invitation.expires_at > now)
            .where(Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None))
            .order_by(Invitation.id.desc())
        )
    ).all()


async def places_of(tx: AsyncSession, member_id: UUID) -> list[Place]:
    """The projects that a member can look into, by name."""
    await be_member(tx, member_id)
    rows = await tx.execute(
        select(Project.id, Project.name, Membership.role)
        .join(Membership, Membership.project_id == Project.id)
        .where(Membership.member_id == member_id, Project.archived_at.is_(None))
        .order_by(Project.name)
    )
    return [Place(project_id, name, Role(role)) for project_id, name, role in rows]


async def member_named(tx: AsyncSession, email: str) -> Member | None:
    """The member of an e-mail address."""
    await name_email(tx, email)
    return await tx.scalar(select(Member).where(Member.email == email))


async def invite(tx: AsyncSession, project_id: UUID, email: str, role: Role, now: datetime) -> tuple[Invitation, str]:
    """An invitation and its token, which is shown this once. An earlier one to the same address is revoked.

    Raises Refused and Conflict.
    """
    email = email_of(email)
    if any(member.email == email for member in await members_of(tx, project_id)):
        raise Conflict(f"{email} is a member already. Change their role instead.")
    open_ones = await invitations_of(tx, project_id, now)
    if len(open_ones) >= MOST_INVITATIONS:
        raise Conflict(f"{MOST_INVITATIONS} invitations wait to be accepted. Revoke those that nobody needs.")
    for earlier in open_ones:
        if earlier.email == email:
            earlier.revoked_at = now
    token, hashed = make_token()
    invitation = Invitation(
        project_id=project_id,
        id=uuid7(),
        email=email,
        role=role.value,
        token_hash=hashed,
        created_at=now,
        expires_at=now + INVITED_FOR,
    )
    tx.add(invitation)
    await tx.flush()
    return invitation, token


async def revoke_invitation(tx: AsyncSession, project_id: UUID, invitation_id: UUID, now: datetime) -> None:
    """Its link works no more. Raises NotFound."""
    done = await tx.scalar(
        update(Invitation)
        .where(Invitation.project_id == project_id, Invitation.id == invitation_id, Invitation.accepted_at.is_(None))
        .values(revoked_at=func.coalesce(Invitation.revoked_at, now))
        .returning(Invitation.id)
    )
    if done is None:
        raise NotFound("There is no such invitation in this project, or it was accepted.")


async def invitation_of(tx: AsyncSession, token: str, now: datetime) -> tuple[Invitation, str]:
    """The open invitation of a link, and its project's name; the transaction is in its project then.

    Raises NotFound.
    """
    await hold(tx, token)
    found = await tx.scalar(select(Invitation).where(Invitation.token_hash == hash_of(token)))
    if found is not None:
        await in_project(tx, found.project_id)
        # Locked: the link works once, however many browsers open it at once.
        found = await tx.scalar(
            select(Invitation)
            .where(Invitation.project_id == found.project_id, Invitation.id == found.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    if found is None or found.accepted_at is not None or found.revoked_at is not None or found.expires_at <= now:
        raise NotFound("This invitation was used, revoked, or is over. Ask whoever sent it for a new one.")
    project = await tx.scalar(select(Project).where(Project.id == found.project_id, Project.archived_at.is_(None)))
    if project is None:
        raise NotFound("The project of this invitation is archived.")
    return found, project.name


async def accept(tx: AsyncSession, invitation: Invitation, password_hash: str | None, now: datetime) -> UUID:
    """Makes whoever was invited a member of the project; the member's id. ``password_hash``: of the password that
    somebody new chose, or that a member was let in by.

    Raises Conflict where that is not their password: they set one, or another, meanwhile.
    """
    member_id = await _made(tx, invitation.email, password_hash, now)
    if member_id is None:
        # Read anew and locked: another of their invitations, or a link to a new password, may be used at this moment.
        member_id = (await _named(tx, invitation.email)).id
        password = await locked_password(tx, member_id)
        if password_hash is not None and password is not None and password != password_hash:
            raise Conflict("Another password was set for this address meanwhile. Type that one.")
        if password_hash is not None and password is None:
            chosen = {"password": password_hash, "password_changed_at": now}
            await tx.execute(update(Member).where(Member.id == member_id).values(chosen))
    belongs = await tx.get(Membership, (invitation.project_id, member_id))
    if belongs is None:
        tx.add(Membership(project_id=invitation.project_id, member_id=member_id, role=invitation.role, created_at=now))
    else:
        belongs.role = invitation.role
    invitation.accepted_at = now
    await tx.flush()
    return member_id


async def give_role(tx: AsyncSession, project_id: UUID, member_id: UUID, role: Role, now: datetime) -> Belonging:
    """Another role. Ends the member's logins into the project: what they may do changed. Raises NotFound, Conflict."""
    found = await _belonging(tx, project_id, member_id)
    if found.role is Role.ADMIN and role is not Role.ADMIN:
        await _keep_an_admin(tx, project_id, member_id)
    if found.role is not role:
        await tx.execute(
            update(Membership)
            .where(Membership.project_id == project_id, Membership.member_id == member_id)
            .values(role=role.value)
        )
        await end_logins_of_member(tx, member_id, now, project_id=project_id)
    return Belonging(member_id, found.email, role, found.since)


async def remove_member(tx: AsyncSession, project_id: UUID, member_id: UUID, now: datetime) -> None:
    """Takes somebody out of a project; their logins into it are over. Raises NotFound and Conflict."""
    found = await _belonging(tx, project_id, member_id)
    if found.role is Role.ADMIN:
        await _keep_an_admin(tx, project_id, member_id)
    await tx.execute(delete(Membership).where(Membership.project_id == project_id, Membership.member_id == member_id))
    await end_logins_of_member(tx, member_id, now, project_id=project_id)


async def make_admin(tx: AsyncSession, project_id: UUID, member_id: UUID, now: datetime) -> None:
    """Makes a member the first admin of a project; the transaction is in that project then. Raises Conflict."""
    await be_member(tx, member_id)
    # Locked, so that many at once are counted one after the other. Archived ones count: they are not deleted.
    await tx.scalar(select(Member.id).where(Member.id == member_id).with_for_update())
    own = select(func.count()).where(Membership.member_id == member_id, Membership.role == Role.ADMIN.value)
    if (await tx.scalar(own) or 0) >= MOST_PROJECTS:
        raise Conflict(f"You are admin of {MOST_PROJECTS} projects. The operator can make more: `whyleft projects`.")
    await in_project(tx, project_id)
    tx.add(Membership(project_id=project_id, member_id=member_id, role=Role.ADMIN.value, created_at=now))
    await tx.flush()


async def _made(tx: AsyncSession, email: str, password_hash: str | None, now: datetime) -> UUID | None:
    """The id of a new member; None where there is one of this address, be it since this moment."""
    member_id = uuid7()
    await be_member(tx, member_id)
    await name_email(tx, email)
    made = insert(Member).values(
        id=member_id,
        email=email,
        password=password_hash,
        created_at=now,
        password_changed_at=now if password_hash else None,
    )
    return await tx.scalar(made.on_conflict_do_nothing(index_elements=["email"]).returning(Member.id))


async def _named(tx: AsyncSession, email: str) -> Member:
    member = await member_named(tx, email)
    if member is None:
        raise NotFound(f"There is no member {email} any more.")
    return member


async def _belonging(tx: AsyncSession, project_id: UUID, member_id: UUID) -> Belonging:
    for member in await members_of(tx, project_id):
        if member.member_id == member_id:
            return member
    raise NotFound(f"There is no member {member_id} in this project.")


async def _keep_an_admin(tx: AsyncSession, project_id: UUID, member_id: UUID) -> None:
    # Locked in one order: two admins who take each other's role at once must not both succeed.
    admins = (
        await tx.scalars(
            select(Membership.member_id)
            .where(Membership.project_id == project_id, Membership.role == Role.ADMIN.value)
            .order_by(Membership.member_id)
            .with_for_update()
        )
    ).all()
    if set(admins) <= {member_id}:
        raise Conflict("This is the project's only admin. Make somebody else an admin first.")
