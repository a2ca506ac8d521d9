"""Runs a few statements as one transaction, in one round trip, over a connection of its own.

For the one place where a transaction's price is felt by every request. Everything else goes through ``engine``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import psycopg

from adapters.postgres.engine import DatabaseUrls, connect_options, conninfo
from adapters.postgres.exchange import Exchange, Statement
from adapters.postgres.faults import DISK_FULL, takes_nothing

TENANT: Final = "SELECT set_config('whyleft.project_id', %(project)s, true)"

PATIENCE = 0.05
"""Seconds that those who ask wait for a lost connection to be made again. A server that starts takes connections long
before it answers them."""


class PipeBroken(ConnectionError):
    """The connection was lost, or the server could not go on; whether it committed is not known."""


class ServerAway(PipeBroken):
    """There is no connection, and none could be made: nothing was sent."""


class NoRoomLeft(PipeBroken):
    """The server's disk is full. Nothing was committed."""

    sqlstate = DISK_FULL


class NotTaken(PipeBroken):
    """The server takes nothing as it is: it is a standby, its schema is another, a right is missing. Nothing was
    committed."""


class StatementRefused(Exception):
    """The server refuses these values. Nothing was committed."""


class AlreadyStored(StatementRefused):
    """A row with one of these keys is there already. Nothing was committed."""


class Pipe:
    """One connection, made when it is first needed and again after it broke. Those who ask together take turns."""

    def __init__(self, urls: DatabaseUrls) -> None:
        self._urls = urls
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._exchange: Exchange | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._connecting_since = 0.0
        self._had_one = False
        self._trouble: Exception | None = None
        self._turn = asyncio.Lock()

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as anybody has noticed."""
        return self._connection is not None

    async def run(self, project_id: UUID, statements: Sequence[Statement]) -> list[tuple[Any, ...] | None]:
        """Commits ``statements`` together, with row-level security showing only ``project_id``.

        Returns the first row of each, None where there is none. Raises PipeBroken (ServerAway where it did not even
        begin, NoRoomLeft, NotTaken), AlreadyStored, StatementRefused.
        """
        async with self._turn:
            return await self._run(project_id, statements)

    async def _run(self, project_id: UUID, statements: Sequence[Statement]) -> list[tuple[Any, ...] | None]:
        # What is sent before it waits is one transaction without BEGIN and COMMIT, which would cost more here than the
        # statements themselves.
        tenant = (TENANT, {"project": str(project_id)})
        try:
            exchange = self._exchange or await self._connected()
            return (await exchange.run([tenant, *statements]))[1:]
        except PipeBroken:
            raise
        except psycopg.errors.DiskFull as error:
            await self._drop()
            raise NoRoomLeft(type(error).__name__) from error
        except (psycopg.OperationalError, psycopg.InterfaceError, OSError, TimeoutError) as error:
            await self._drop()
            raise PipeBroken(type(error).__name__) from error
        except psycopg.errors.UniqueViolation as error:
            raise AlreadyStored(type(error).__name__) from error
        except psycopg.Error as error:
            await self._drop()
            raise (NotTaken if takes_nothing(error) else StatementRefused)(type(error).__name__) from error
        except BaseException:
            # Cut off half-way: what is left in the connection belongs to nobody.
            await self._drop()
            raise

    async def close(self) -> None:
        """Closes the connection, if there is one."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        await self._drop()

    async def drop(self) -> None:
        """Lets the connection go unless somebody is using it: the next who asks makes another."""
        if not self._turn.locked():
            await self._drop()

    async def _drop(self) -> None:
        connection, self._connection, self._exchange = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await connection.close()

    async def _connected(self) -> Exchange:
        """Where statements go, once there is a connection. It goes on being made when that takes longer than anybody
        should wait."""
        now = asyncio.get_running_loop().time()
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(), name="pipe connects")
            self._connecting_since = now
        patience = max(0.0, self._connecting_since + PATIENCE - now) if self._had_one else None
        await asyncio.wait([self._connecting], timeout=patience)
        if self._exchange is None:
            raise ServerAway(type(self._trouble).__name__ if self._trouble else "still connecting")
        return self._exchange

    async def _connect(self) -> None:
        try:
            self._connection = await psycopg.AsyncConnection.connect(
                conninfo(self._urls.app), autocommit=True, **connect_options(self._urls)
            )
            self._exchange = Exchange(self._connection, prepares=not self._urls.pooled)
            self._had_one, self._trouble = True, None
        except (psycopg.Error, OSError) as error:
            self._trouble = error
        finally:
            self._connecting = None
