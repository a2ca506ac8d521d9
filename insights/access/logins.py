"""Decides whether a browser is still logged in: stored on the server, ended by idleness, age, or whoever ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.engine import Database
from insights.access.roles import Role
from insights.access.tokens import be_member, hash_of, hold, in_project, make_token
from insights.models import ApiKey, Login, Member, Membership, Project
from insights.vocabulary.ids import uuid7

IDLE: Final = timedelta(hours=12)
ABSOLUTE: Final = timedelta(days=7)
SEEN_EVERY: Final = timedelta(minutes=5)
_LONGEST_BROWSER: Final = 200


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Who is looking, into which project, and what they may do there. ``email`` is None for a login by key."""

    login_id: UUID
    project_id: UUID
    project_name: str
    role: Role
    member_id: UUID | None
    email: str | None
    key_id: UUID | None
    name: str


@dataclass(frozen=True, slots=True)
class Browser:
    """What is kept of where a login came from. ``network``: an address without its machine."""

    network: str
    agent: str


class Logins:
    """The logins of all projects. A page does not wait longer than ``seconds`` to know who is looking."""

    def __init__(self, database: Database, *, seconds: float = 8.0) -> None:
        self._database = database
        self._timeout = f"{seconds}s"

    async def find(self, token: str, now: datetime) -> LoggedIn | None:
        """Who holds this cookie; None when it is nobody's, or its login, key, membership or project is over."""
        async with self._database.transaction(None) as tx:
            await tx.execute(text("SELECT set_config('statement_timeout', :most, true)"), {"most": self._timeout})
            await hold(tx, token)
            login = await tx.scalar(select(Login).where(Login.token_hash == hash_of(token)))
            if login is None or login.ended_at is not None:
                return None
            if login.expires_at <= now or login.seen_at + IDLE <= now:
                return None
            await in_project(tx, login.project_id)
            found = await self._by_key(tx, login, now) if login.key_id else await self._by_member(tx, login)
            if found is not None and login.seen_at + SEEN_EVERY <= now:
                await tx.execute(
                    update(Login).where(Login.project_id == login.project_id, Login.id == login.id).values(seen_at=now)
                )
                if login.key_id is not None:  # whoever looks into the viewer with a key uses it
                    own = update(ApiKey).where(ApiKey.project_id == login.project_id, ApiKey.id == login.key_id)
                    await tx.execute(own.values(last_used_at=now))
            return found

    async def end(self, token: str, now: datetime) -> None:
        """Ends the login of this cookie, if there is one."""
        async with self._database.transaction(None) as tx:
            await hold(tx, token)
            login = await tx.scalar(select(Login).where(Login.token_hash == hash_of(token)))
            if login is not None and login.ended_at is None:
                await in_project(tx, login.project_id)
                await tx.execute(
                    update(Login).where(Login.project_id == login.project_id, Login.id == login.id).values(ended_at=now)
                )

    @staticmethod
    def begin(
        tx: AsyncSession,
        project_id: UUID,
        browser: Browser,
        now: datetime,
        *,
        member_id: UUID | None = None,
        key_id: UUID | None = None,
    ) -> str:
        """A new login of a member or of whoever has a key: its cookie."""
        token, hashed = make_token()
        tx.add(
            Login(
                project_id=project_id,
                id=uuid7(),
                token_hash=hashed,
                member_id=member_id,
                key_id=key_id,
                created_at=now,
                seen_at=now,
                expires_at=now + ABSOLUTE,
                ended_at=None,
                network=browser.network,
                browser=browser.agent.replace("\x00", "")[:_LONGEST_BROWSER],
            )
        )
        return token

    @staticmethod
    async def _by_key(tx: AsyncSession, login: Login, now: datetime) -> LoggedIn | None:
        row = (
            await tx.execute(
                select(ApiKey, Project.name)
                .join(Project, Project.id == ApiKey.project_id)
                .where(ApiKey.project_id == login.project_id, ApiKey.id == login.key_id, ApiKey.revoked_at.is_(None))
                .where(Project.archived_at.is_(None))
            )
        ).one_or_none()
        if row is None:
            return None
        key, project = row
        if key.role is None or key.scopes or (key.expires_at is not None and key.expires_at <= now):
            return None
        name = key.name or f"{key.prefix}…"
        return LoggedIn(login.id, login.project_id, project, Role(key.role), None, None, key.id, name)

    @staticmethod
    async def _by_member(tx: AsyncSession, login: Login) -> LoggedIn | None:
        row = (
            await tx.execute(
                select(Member.email, Membership.role, Project.name)
                .join(Membership, Membership.member_id == Member.id)
                .join(Project, Project.id == Membership.project_id)
                .where(Membership.project_id == login.project_id, Membership.member_id == login.member_id)
                .where(Project.archived_at.is_(None))
            )
        ).one_or_none()
        if row is None:
            return None
        email, role, project = row
        return LoggedIn(login.id, login.project_id, project, Role(role), login.member_id, email, None, email)


async def logins_of_member(tx: AsyncSession, member_id: UUID, now: datetime) -> Sequence[tuple[Login, str]]:
    """A member's logins that are good, with their projects' names, the one seen last first."""
    await be_member(tx, member_id)
    rows = await tx.execute(
        select(Login, Project.name)
        .join(Project, Project.id == Login.project_id)
        .where(Login.member_id == member_id, Login.ended_at.is_(None))
        .where(Login.expires_at > now, Login.seen_at > now - IDLE)
        .order_by(Login.seen_at.desc(), Login.id)
    )
    return [(login, project) for login, project in rows]


async def end_logins_of_member(
    tx: AsyncSession,
    member_id: UUID,
    now: datetime,
    *,
    but: UUID | None = None,
    only: UUID | None = None,
    project_id: UUID | None = None,
) -> None:
    """Ends a member's logins: all of them, all ``but`` one, ``only`` one, or those into one project."""
    await be_member(tx, member_id)
    asked = update(Login).where(Login.member_id == member_id, Login.ended_at.is_(None))
    if but is not None:
        asked = asked.where(Login.id != but)
    if only is not None:
        asked = asked.where(Login.id == only)
    if project_id is not None:
        asked = asked.where(Login.project_id == project_id)
    await tx.execute(asked.values(ended_at=now))
