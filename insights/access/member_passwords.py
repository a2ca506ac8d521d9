"""A member's password in the database: set, still the one that was compared, set anew by a link that works once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from insights.access.logins import end_logins_of_member
from insights.access.tokens import be_member, hash_of, hold, make_token
from insights.errors import NotFound
from insights.models import Member, PasswordReset
from insights.vocabulary.ids import uuid7

RESET_FOR: Final = timedelta(hours=1)


async def set_password(
    tx: AsyncSession, member_id: UUID, password_hash: str, now: datetime, *, keep: UUID | None = None
) -> None:
    """Another password. Every login of the member is over, but ``keep``; so are links to reset it."""
    await be_member(tx, member_id)
    await tx.execute(
        update(Member).where(Member.id == member_id).values(password=password_hash, password_changed_at=now)
    )
    await tx.execute(
        update(PasswordReset)
        .where(PasswordReset.member_id == member_id, PasswordReset.used_at.is_(None))
        .values(used_at=now)
    )
    await end_logins_of_member(tx, member_id, now, but=keep)


async def still_has(tx: AsyncSession, member_id: UUID, password_hash: str | None) -> bool:
    """Whether a member's password is the one that was compared; it stays so until the transaction ends.

    Comparing takes a while, and a login with a password that is changed meanwhile must not outlive it.
    """
    found = await locked_password(tx, member_id)
    return found is not None and found == password_hash


async def locked_password(tx: AsyncSession, member_id: UUID) -> str | None:
    """The hash of a member's password, if they have one; nobody else sets another until the transaction ends."""
    await be_member(tx, member_id)
    return await tx.scalar(select(Member.password).where(Member.id == member_id).with_for_update(key_share=True))


async def offer_reset(tx: AsyncSession, member_id: UUID, now: datetime) -> str:
    """The token of a link that sets a member's password, once."""
    await be_member(tx, member_id)
    token, hashed = make_token()
    tx.add(
        PasswordReset(id=uuid7(), member_id=member_id, token_hash=hashed, created_at=now, expires_at=now + RESET_FOR)
    )
    await tx.flush()
    return token


async def reset_of(tx: AsyncSession, token: str, now: datetime) -> tuple[UUID, str]:
    """Whose password a link sets: the member's id and e-mail address. Raises NotFound."""
    await hold(tx, token)
    found = await tx.scalar(select(PasswordReset).where(PasswordReset.token_hash == hash_of(token)))
    if found is not None:
        # The member first, as whoever sets a password does: two links of one member at once would wait in a circle.
        await locked_password(tx, found.member_id)
        found = await tx.scalar(
            select(PasswordReset)
            .where(PasswordReset.id == found.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    if found is None or found.used_at is not None or found.expires_at <= now:
        raise NotFound("This link was used, or is over. Ask for a new one.")
    member = await tx.get_one(Member, found.member_id)
    return member.id, member.email
