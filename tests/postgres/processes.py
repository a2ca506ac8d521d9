"""Real processes around a data directory: owners, bystanders, orphaned servers; and a word to remember in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg

from adapters.postgres import binaries, cluster, embedded, keeper, server_user
from adapters.postgres.embedded import EmbeddedPostgres

OWNER_PROCESS = Path(__file__).with_name("owner_process.py")
AS_ROOT = os.geteuid() == 0


@contextmanager
def owner_process(data_dir: Path, *options: str, before: tuple[str, ...] = ()) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Another process that holds `data_dir`, and what it said. It stops by itself, or was killed, at the end."""
    command = [*before, sys.executable, str(OWNER_PROCESS), str(data_dir), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline() or b"{}")
        finally:
            process.stdin.close()


@contextmanager
def innocent(uid: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with any of this, of the user whom the server runs as."""
    user = {"user": uid} if AS_ROOT else {}
    with subprocess.Popen(["sleep", "600"], **user) as process:
        try:
            yield process
        finally:
            process.kill()


def eventually(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def servers_in(data_dir: Path) -> list[int]:
    """The PostgreSQL processes that work in this data directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and process.cwd() == str(data_dir / "cluster"):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def server_pid(data_dir: Path) -> int:
    return int((data_dir / "cluster" / "postmaster.pid").read_text().splitlines()[0])


def run(url: str, statement: str) -> Any:
    """The first value of the first row."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def remember(server: EmbeddedPostgres | str) -> None:
    url = server if isinstance(server, str) else server.owner_url
    run(url, "CREATE TABLE memory (word text)")
    run(url, "INSERT INTO memory VALUES ('kept')")


def recall(data_dir: Path) -> Any:
    with embedded.start(data_dir) as server:
        return run(server.owner_url, "SELECT word FROM memory")


def stopped_cluster(data_dir: Path) -> None:
    with embedded.start(data_dir) as server:
        remember(server)


@contextmanager
def orphan(data_dir: Path, *, holds_lock: bool) -> Iterator[subprocess.Popen[bytes]]:
    """A server without a keeper: left over from an owner (it holds the lock), or started by hand (it does not)."""
    user = server_user.choose(data_dir / "cluster")
    programs = binaries.reachable(binaries.find(), user)
    where = keeper.server_path(str(data_dir / "cluster"))
    run_folder = keeper.server_path(str(data_dir / "run"))
    lock = keeper.lock_server(str(data_dir), wait=0)
    assert lock is not None
    descriptors = [int(Path(path).name) for path in (where, run_folder) if path.startswith("/proc/")]
    command = [programs.postgres, "-D", where, "-c", f"unix_socket_directories={run_folder}", *cluster.options()]
    with subprocess.Popen(
        command,
        pass_fds=[*descriptors, lock] if holds_lock else descriptors,
        stderr=subprocess.DEVNULL,
        cwd="/",
        **user.as_process_arguments(),
    ) as process:
        for descriptor in [*descriptors, lock]:
            os.close(descriptor)
        eventually(lambda: (data_dir / "run" / ".s.PGSQL.5432").exists())
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
