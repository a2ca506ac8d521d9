"""People who look into the viewer: members, the projects they belong to, their logins, and links that work once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from adapters.postgres.base import Base, Tenant

ROLE = "role IN ('reader', 'editor', 'admin')"


class Member(Base):
    """One person, of any number of projects. ``email`` is in lower case. ``password``: an argon2 hash, or NULL.

    A row is visible to its member, to whoever names its e-mail, and to the projects that it belongs to.
    """

    __tablename__ = "member"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str | None]
    created_at: Mapped[datetime]
    password_changed_at: Mapped[datetime | None]


class Membership(Tenant, Base):
    """What a member may do in a project."""

    __tablename__ = "membership"
    __table_args__ = (CheckConstraint(ROLE, name="role"), Index("ix_membership_member_id", "member_id"))

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    role: Mapped[str]
    created_at: Mapped[datetime]


class Invitation(Tenant, Base):
    """Lets whoever has the link become a member, once. Only the SHA-256 of its token is stored."""

    __tablename__ = "invitation"
    __table_args__ = (CheckConstraint(ROLE, name="role"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    role: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class PasswordReset(Base):
    """Lets whoever has the link set a member's password, once."""

    __tablename__ = "password_reset"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Login(Tenant, Base):
    """One browser that looks into one project, by a member or by a secret key. Its cookie is stored as a SHA-256.

    ``seen_at`` lags behind by minutes. ``network``: the address without its machine.
    """

    __tablename__ = "login"
    __table_args__ = (
        CheckConstraint("(member_id IS NULL) <> (key_id IS NULL)", name="holder"),
        Index("ix_login_member_id", "member_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    member_id: Mapped[UUID | None]
    key_id: Mapped[UUID | None]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    network: Mapped[str]
    browser: Mapped[str]


class LoginThrottle(Base):
    """How often somebody tried in vain. ``bucket`` is a hash of an account's name or an address; it can be no one's."""

    __tablename__ = "login_throttle"

    bucket: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime]
    blocked_until: Mapped[datetime]
