"""Sends statements and reads their answers over libpq itself: one write, one read, one transaction.

psycopg's own pipeline takes a third of a millisecond of this process for that, as much as a small flush takes of
PostgreSQL. It still makes parameters of values and values of results.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import Any, Final

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult

Statement = tuple[str, Mapping[str, Any]]
"""SQL with ``%(name)s`` for parameters, and their values. Any other ``%`` stands for itself."""

_Plan = tuple[bytes, tuple[int, ...]]
"""What is prepared: a text and the types of its parameters."""

AT_ONCE: Final = 2**20
"""Bytes that the system should take off our hands at a time, if it may: what it does not take waits for this process's
next turn, which is as long as all requests that it has in hand, and the server waits with it."""

_PARAMETER: Final = re.compile(r"%\((\w+)\)s")


@lru_cache(maxsize=256)
def _numbered(sql: str) -> tuple[bytes, tuple[str, ...]]:
    """``sql`` with ``$1`` for parameters, as the server knows them, and their names in that order."""
    places: dict[str, int] = {}
    text = _PARAMETER.sub(lambda found: f"${places.setdefault(found[1], len(places) + 1)}", sql)
    return text.encode(), tuple(places)


class Exchange:
    """Owns ``connection``, which commits by itself: nothing else may be asked of it but to close.

    ``prepares``: the server keeps a plan of each text that it was ever asked. So texts must be few.
    """

    _all_came: asyncio.Future[None]
    """Done once the server has said all that it was asked for."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], *, prepares: bool) -> None:
        self._server = connection.pgconn
        self._server.enter_pipeline_mode()
        _take_at_once(self._server.socket)
        self._values = Transformer(connection)
        self._prepares = prepares
        self._prepared: dict[_Plan, bytes] = {}
        self._names = count()
        self._came: list[PGresult] = []

    async def run(self, statements: Sequence[Statement]) -> list[tuple[Any, ...] | None]:
        """Commits ``statements`` together; returns the first row of each, None where there is none.

        Raises the psycopg.Error with which the server refused one of them: nothing is committed then, the connection
        goes on. psycopg.OperationalError is raised, too, when the connection is lost; whether it was committed is then
        not known. After that, or after a cancellation, the connection is of no more use.
        """
        asked: list[tuple[_Plan, bytes] | None] = []
        for sql, values in statements:
            plan = self._send(sql, values)
            asked += [plan, None] if plan is not None else [None]
        self._server.pipeline_sync()
        rows: list[tuple[Any, ...] | None] = []
        refused: psycopg.Error | None = None
        for plan, result in zip(asked, await self._results(), strict=True):
            if result.status == ExecStatus.FATAL_ERROR:
                refused = refused or _error(result)
            elif result.status == ExecStatus.PIPELINE_ABORTED:
                continue
            elif plan is not None:
                self._prepared[plan[0]] = plan[1]
            else:
                rows.append(self._first_row(result))
        if refused is not None:
            raise refused
        return rows

    def _send(self, sql: str, values: Mapping[str, object]) -> tuple[_Plan, bytes] | None:
        """Returns what is being prepared for it, and its name there, if that is not there yet."""
        text, names = _numbered(sql)
        parameters = self._values.dump_sequence([values[name] for name in names], [PyFormat.AUTO] * len(names))
        types, formats = self._values.types or (), self._values.formats
        if not self._prepares:
            self._server.send_query_params(text, parameters, types, formats)
            return None
        plan = text, types
        name, new = self._prepared.get(plan), None
        if name is None:
            name = b"whyleft_%d" % next(self._names)
            self._server.send_prepare(name, text, types)
            new = plan, name
        self._server.send_query_prepared(name, parameters, formats)
        return new

    def _first_row(self, result: PGresult) -> tuple[Any, ...] | None:
        if not result.ntuples:
            return None
        self._values.set_pgresult(result)
        return self._values.load_row(0, tuple)

    async def _results(self) -> list[PGresult]:
        """One of each thing that was asked since the last time, once the server has said all of them."""
        loop = asyncio.get_running_loop()
        descriptor = self._server.socket
        self._came, self._all_came = [], loop.create_future()
        if self._server.flush():
            loop.add_writer(descriptor, self._write)
        loop.add_reader(descriptor, self._read)
        try:
            await self._all_came
        finally:
            loop.remove_reader(descriptor)
            loop.remove_writer(descriptor)
        return self._came

    # Methods and no functions within ``_results``: one that has itself called again refers to itself, and what it holds
    # (the answers) stays until the garbage collector comes, which stops all requests for milliseconds.
    def _read(self) -> None:
        loop, descriptor = asyncio.get_running_loop(), self._server.socket
        try:
            if not self._more():
                # Of a socket that was cut off with something unread uvloop tells once, and much may be left to take: it
                # is asked anew.
                loop.remove_reader(descriptor)
                loop.add_reader(descriptor, self._read)
            elif not self._all_came.done():
                self._all_came.set_result(None)
        except psycopg.Error as error:
            loop.remove_reader(descriptor)
            self._failed(error)

    def _write(self) -> None:
        try:
            if not self._server.flush():
                asyncio.get_running_loop().remove_writer(self._server.socket)
        except psycopg.Error as error:
            asyncio.get_running_loop().remove_writer(self._server.socket)
            self._failed(error)

    def _failed(self, error: psycopg.Error) -> None:
        if not self._all_came.done():
            self._all_came.set_exception(error)

    def _more(self) -> bool:
        """Takes what has come; returns whether that was all of it. Raises OperationalError when no more can come."""
        self._server.consume_input()
        while not self._server.is_busy():
            result = self._server.get_result()
            if result is None:
                # Between the answers of two statements there is nothing, once.
                if self._server.status == ConnStatus.BAD:
                    raise psycopg.OperationalError("the connection was lost")
            elif result.status == ExecStatus.PIPELINE_SYNC:
                return True
            else:
                self._came.append(result)
        return False


def _take_at_once(descriptor: int) -> None:
    with socket.socket(fileno=os.dup(descriptor)) as same:
        # Over a network the system finds out by itself how much should be under way.
        if same.family == socket.AF_UNIX:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, AT_ONCE)


def _error(result: PGresult) -> psycopg.Error:
    """Without the server's words, which may quote rows."""
    state = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
    try:
        return psycopg.errors.lookup(state)(state)
    except KeyError:
        return psycopg.DatabaseError(state)
