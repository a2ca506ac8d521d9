"""Runs a PostgreSQL of our own in a folder, for whoever has no server: `start(folder)`.

The programs come from an installed wheel (`binaries`). The folder holds the data (`cluster/`), the socket (`run/`),
who may connect (`conf/`), `server.log`, and two locks: `owner.lock` is held by the process that called `start`,
`server.lock` by the server and all its children. Between owner and server stands a small process (`keeper`) that
stops the server when the owner ends, killed or not.
"""

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from adapters.postgres import binaries, cluster, keeper, leftovers, server_user
from adapters.postgres.embedded_errors import (
    BinariesMissing,
    DataDirInUse,
    DataDirNotOurs,
    DataDirNotWritable,
    EmbeddedPostgresError,
    NoSpaceLeft,
    ServerDidNotStart,
    ServerDidNotStop,
    ServerUserUnavailable,
    SocketPathUnusable,
    WrongMajorVersion,
)
from adapters.postgres.engine import APP_ROLE
from adapters.postgres.owners import OwnerLock
from adapters.postgres.sockets import SocketFolder

__all__ = [
    "DATABASE",
    "BinariesMissing",
    "DataDirInUse",
    "DataDirNotOurs",
    "DataDirNotWritable",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "NoSpaceLeft",
    "ServerDidNotStart",
    "ServerDidNotStop",
    "ServerUserUnavailable",
    "SocketPathUnusable",
    "WrongMajorVersion",
    "start",
]

DATABASE = "whyleft"
OWNER_ROLE = "postgres"
READY_WITHIN = 300.0  # seconds: recovery after a power cut replays up to max_wal_size of log
STOPPED_WITHIN = keeper.STOP_FAST + keeper.STOP_HARD + 15.0


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A running server, held. `owner_url` is the superuser's, for migrations; the role of `app_url` owns nothing."""

    owner_url: str
    app_url: str
    data_dir: Path
    _socket_folder: Path = field(repr=False)
    _claim: object = field(repr=False, compare=False)

    def url(self, database: str, user: str = OWNER_ROLE) -> str:
        """The URL of another database on the same server, as `user`."""
        return url(self._socket_folder, database, user)

    def stop(self) -> None:
        """Let go; stops the server if nobody else in this process holds it. A second call does nothing."""
        with _guard:
            server = _servers.get(self.data_dir)
            if server is None or self._claim not in server.claims:
                return
            server.claims.remove(self._claim)
            if not server.claims:
                del _servers[self.data_dir]
                server.shut_down()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(data_dir: Path) -> EmbeddedPostgres:
    """Start the server in `data_dir` (made on first use), or join it if this very process runs it already.

    Blocks until it answers: about a second the first time, a fraction of one later. The server stops when the last
    holder calls `stop` or when this process ends, however it ends. Raises an EmbeddedPostgresError whose sentence says
    what to do, DataDirInUse if another process holds the directory.
    """
    if os.name != "posix":
        raise BinariesMissing(
            "The embedded PostgreSQL needs Linux or macOS: set WHYLEFT_DATABASE_URL to a server of your own."
        )
    data_dir = data_dir.resolve()
    with _guard:
        server = _servers.get(data_dir)
        if server is not None and not server.running:
            del _servers[data_dir]
            server.shut_down()
            server = None
        if server is None:
            server = _servers[data_dir] = _launch(data_dir)
        claim = object()
        server.claims.add(claim)
    return EmbeddedPostgres(
        owner_url=url(server.socket.path, DATABASE, OWNER_ROLE),
        app_url=url(server.socket.path, DATABASE, APP_ROLE),
        data_dir=data_dir,
        _socket_folder=server.socket.path,
        _claim=claim,
    )


@dataclass
class _Server:
    data_dir: Path
    lock: OwnerLock
    socket: SocketFolder
    keeper: subprocess.Popen[bytes]
    lifeline: int
    claims: set[object] = field(default_factory=set)

    @property
    def running(self) -> bool:
        return self.keeper.poll() is None

    def shut_down(self) -> None:
        os.close(self.lifeline)
        try:
            self.keeper.wait(STOPPED_WITHIN)
            self.socket.remove()
        except subprocess.TimeoutExpired:
            raise ServerDidNotStop(
                f"PostgreSQL in {self.data_dir} does not stop: see {self.data_dir / keeper.LOG}, and stop process "
                f"{self.keeper.pid} and its child by hand."
            ) from None
        finally:
            self.lock.release()


_servers: dict[Path, _Server] = {}
_guard = threading.RLock()


def _forget_in_child() -> None:
    """A forked child must not keep the server of its parent alive, nor stop it."""
    global _guard
    _guard = threading.RLock()
    for server in _servers.values():
        server.lock.release()
        os.close(server.lifeline)
    _servers.clear()


os.register_at_fork(after_in_child=_forget_in_child)


def _launch(data_dir: Path) -> _Server:
    programs = binaries.find()
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = OwnerLock.acquire(data_dir)
    except OSError as error:
        raise cluster.unusable(data_dir, error) from error
    try:
        return _launch_held(data_dir, lock, programs)
    except BaseException:
        lock.release()
        raise


def _launch_held(data_dir: Path, lock: OwnerLock, programs: binaries.Binaries) -> _Server:
    try:
        cluster.check(data_dir)
        user = server_user.choose(data_dir / keeper.CLUSTER)
        programs = binaries.reachable(programs, user)
        leftovers.clear(data_dir)
        if not (data_dir / keeper.CLUSTER).exists():
            cluster.make(data_dir, programs, user)
        cluster.write_access_rules(data_dir)
        cluster.private_folder(data_dir / keeper.RUN, user)
        socket = SocketFolder(data_dir)
    except OSError as error:
        raise cluster.unusable(data_dir, error) from error
    log = data_dir / keeper.LOG
    complaints = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    log_began = log.stat().st_size
    arguments = [str(data_dir), str(programs.postgres), str(user.uid), str(user.gid), *cluster.options()]
    keepers_end, lifeline = os.pipe()
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", "-S", keeper.__file__, *arguments],
        stdin=keepers_end,
        stdout=subprocess.DEVNULL,
        stderr=complaints,
        env=keeper.clean_environment(),
        cwd="/",
        start_new_session=True,
    )
    os.close(keepers_end)
    os.close(complaints)
    server = _Server(data_dir, lock, socket, process, lifeline)
    try:
        _wait_until_it_answers(server, log, log_began)
        os.write(lifeline, b"ready\n")
        _prepare(socket.path)
    except BaseException as error:
        server.shut_down()
        if isinstance(error, (psycopg.Error, OSError)):
            raise cluster.said(data_dir, "PostgreSQL", f"{_tail(log, log_began)}\n{error}") from error
        raise
    return server


def _wait_until_it_answers(server: _Server, log: Path, log_began: int) -> None:
    deadline = time.monotonic() + READY_WITHIN
    address = make_conninfo(host=str(server.socket.path), port=keeper.PORT, dbname="postgres", user=OWNER_ROLE).encode()
    while PGconn.ping(address) != Ping.OK:
        if not server.running or time.monotonic() > deadline:
            raise cluster.said(server.data_dir, "PostgreSQL", _tail(log, log_began))
        time.sleep(0.01)


def _tail(log: Path, began: int) -> str:
    return log.read_bytes()[began:].decode(errors="replace")


def _prepare(socket_folder: Path) -> None:
    """Make the database and the application's role if they are missing; each step may have been the last one done."""
    with _connect(socket_folder, "postgres") as connection:
        if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [APP_ROLE]).rowcount:
            connection.execute(
                sql.SQL(
                    "CREATE ROLE {} LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION"
                ).format(sql.Identifier(APP_ROLE))
            )
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        row = connection.execute("SELECT datacl IS NULL FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if row and row[0]:
            # By default everybody may make temporary tables.
            with connection.transaction():
                names = {"database": sql.Identifier(DATABASE), "role": sql.Identifier(APP_ROLE)}
                connection.execute(sql.SQL("REVOKE ALL ON DATABASE {database} FROM PUBLIC").format(**names))
                connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {database} TO {role}").format(**names))


def _connect(socket_folder: Path, database: str) -> psycopg.Connection:
    return psycopg.connect(
        host=str(socket_folder), port=keeper.PORT, dbname=database, user=OWNER_ROLE, autocommit=True, connect_timeout=10
    )


def url(socket_folder: Path, database: str, user: str) -> str:
    """The URL of a database on the server whose socket stands in `socket_folder`."""
    host = quote(os.fsencode(socket_folder))
    return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?host={host}&port={keeper.PORT}"
