"""Connections: which URL the application uses, which the owner uses, and the pool of each."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import msgspec
from psycopg.conninfo import make_conninfo
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import QueuePool

from adapters.postgres.acting import actor_now
from adapters.postgres.personal import NO_KEYS, Ring, put_ring
from adapters.postgres.plans import plan_anew

APP_ROLE = "whyleft_app"
DISPATCH_ROLE = "whyleft_dispatch"


class DatabaseUrlInvalid(Exception):
    """The text is not a PostgreSQL URL."""


@dataclass(frozen=True)
class DatabaseUrls:
    """``owner`` may change the schema; ``app`` reads and writes rows as a role that owns nothing.

    ``app_role`` is the role to take right after connecting, for a server whose user gave us one URL only. ``pooled``:
    ``app`` leads to a pooler that hands a connection to somebody else after each transaction.
    """

    owner: str
    app: str
    app_role: str | None = None
    pooled: bool = False

    @classmethod
    def from_settings(cls, database_url: str, owner_url: str = "", *, pooled: bool = False) -> DatabaseUrls:
        """One URL: it is the owner's, and the application steps down to ``whyleft_app``. Two: each its own login.

        Raises DatabaseUrlInvalid for one URL through a pooler, which cannot keep the role.
        """
        if owner_url:
            return cls(owner=owner_url, app=database_url, pooled=pooled)
        if pooled:
            raise DatabaseUrlInvalid(
                "WHYLEFT_DATABASE_POOLED needs two logins: put whyleft_app's URL into WHYLEFT_DATABASE_URL and the "
                "owner's, past the pooler, into WHYLEFT_OWNER_DATABASE_URL."
            )
        return cls(owner=database_url, app=database_url, app_role=APP_ROLE)


def sqlalchemy_url(url: str) -> URL:
    """``url`` with the psycopg driver named. Raises DatabaseUrlInvalid."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise DatabaseUrlInvalid(
            "WHYLEFT_DATABASE_URL is not a PostgreSQL URL: write postgresql://user:password@host:5432/database, and "
            "what is special in the password by its code, as %40 for @."
        ) from error
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise DatabaseUrlInvalid(
            f"WHYLEFT_DATABASE_URL names {parsed.get_backend_name()!r}: only postgresql:// is supported."
        )
    if "search_path" in str(parsed.query.get("options", "")):
        raise DatabaseUrlInvalid(
            "WHYLEFT_DATABASE_URL sets search_path: the tables are in the schema public, so leave it out. To keep them "
            "apart from others give them a database of their own."
        )
    if parsed.host is not None and parsed.host.lower().startswith("%2f"):
        # A socket's folder, as libpq's own documentation writes it.
        parsed = parsed.set(host=unquote(parsed.host))
    return parsed.set(drivername="postgresql+psycopg")


def conninfo(url: str) -> str:
    """``url`` as libpq takes it: what SQLAlchemy reads in it, word by word, for the two write and read blanks and plus
    signs in URLs in different ways. Raises DatabaseUrlInvalid."""
    parsed = sqlalchemy_url(url)
    _, words = parsed.get_dialect()().create_connect_args(parsed)
    return make_conninfo(**words)


def connect_options(urls: DatabaseUrls) -> dict[str, Any]:
    """How the application connects: with the role to take, so that even RESET ROLE returns to it, and bounded waits.
    What the URL says of waits and options holds beside it; of the role it does not.

    Through a pooler nothing of a connection outlives its transaction: no start-up options, no prepared statements.
    """
    said = sqlalchemy_url(urls.app).query
    timeout = said.get("connect_timeout", "5")
    if urls.pooled:
        return {"prepare_threshold": None, "connect_timeout": timeout}
    # The API tells times as the connection does: a server's own time zone must not stand in them.
    options = ["-c lock_timeout=10s -c idle_in_transaction_session_timeout=60s -c TimeZone=UTC"]
    if "options" in said:
        options.append(str(said["options"]))
    if urls.app_role is not None:
        options.append(f"-c role={urls.app_role}")
    return {"options": " ".join(options), "connect_timeout": timeout}


def read_json(stored: bytes | str) -> Any:
    """A JSON column's value. msgspec reads it several times as fast, but for numbers beyond a double, which a jsonb
    column may hold."""
    try:
        return msgspec.json.decode(stored)
    except msgspec.DecodeError:
        return json.loads(stored)


class Database:
    """The application's pool. One instance a process; ``close`` it."""

    def __init__(self, urls: DatabaseUrls, *, pool_size: int = 10, ring: Ring = NO_KEYS) -> None:
        """``ring``: keys of the columns that hold personal data."""
        self.urls = urls
        self.ring = ring
        self.most_connections = 2 * pool_size
        self.engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(urls.app),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            pool_use_lifo=True,  # as few as are needed are kept warm, and after a restart few are found dead
            hide_parameters=True,  # they are people's: an error in a log must not quote them
            connect_args=connect_options(urls),
            json_deserializer=read_json,
        )
        put_ring(self.engine.sync_engine.dialect, ring)
        plan_anew(self.engine.sync_engine)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self, project_id: UUID | None) -> AsyncIterator[AsyncSession]:
        """One transaction in which row-level security shows only ``project_id`` (None: tables without a tenant)."""
        async with self._sessions() as session, session.begin():
            if project_id is not None:
                await session.execute(
                    text("SELECT set_config('whyleft.project_id', :id, true)"), {"id": str(project_id)}
                )
            actor = actor_now()
            if actor:
                await session.execute(text("SELECT set_config('whyleft.actor', :actor, true)"), {"actor": actor})
            yield session

    @asynccontextmanager
    async def dispatch(self) -> AsyncIterator[AsyncSession]:
        """One transaction that may claim due work of every project, and touch nothing else of them."""
        async with self._sessions() as session, session.begin():
            await session.execute(text(f"SET LOCAL ROLE {DISPATCH_ROLE}"))
            yield session

    async def earlier(self, now: datetime) -> datetime:
        """The earlier of ``now`` and the database's time: what is erased for its age is old by both clocks."""
        async with self.transaction(None) as tx:
            there: datetime = (await tx.execute(text("SELECT clock_timestamp()"))).scalar_one()
        return min(now, there)

    def connections_in_use(self) -> int:
        """How many connections are taken out of the pool now."""
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    async def close(self) -> None:
        """Closes the pool."""
        await self.engine.dispose()
