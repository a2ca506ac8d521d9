"""What an earlier owner left behind: a server that still runs is stopped, stale pid files are removed, nobody is hurt.

A pid in a file proves nothing. A process is a server of ours only if its executable is postgres and its working
directory is the cluster; nothing else is ever signalled.
"""

import os
import signal
import sys
from pathlib import Path

import psutil

from adapters.postgres import keeper
from adapters.postgres.embedded_errors import DataDirInUse


def clear(data_dir: Path) -> None:
    """Make `data_dir` ready for a new server; the caller holds its owner lock.

    A server that an earlier owner left running is shut down cleanly, which loses nothing. Raises DataDirInUse if
    somebody else's server runs on the cluster, or one that cannot be stopped from here.
    """
    cluster = data_dir / keeper.CLUSTER
    lock = keeper.lock_server(str(data_dir), wait=0.0)
    if lock is None:
        lock = _stop_left_over(data_dir, cluster)
    try:
        server = _server_in(cluster)
        if server is not None:
            # It runs without our lock, so it was not started here, and it is not ours to stop.
            raise DataDirInUse(
                f"{data_dir} is in use by a PostgreSQL server (process {server.pid}) that was started by hand: "
                "stop it, or choose another data directory."
            )
        for stale in (keeper.PID_FILE, keeper.SOCKET_PID_FILE):
            (data_dir / stale).unlink(missing_ok=True)
    finally:
        os.close(lock)


def _stop_left_over(data_dir: Path, cluster: Path) -> int:
    for number, patience in ((signal.SIGINT, keeper.STOP_FAST), (signal.SIGQUIT, keeper.STOP_HARD)):
        server = _server_in(cluster)
        if server is not None:
            try:
                server.send_signal(number)
            except psutil.NoSuchProcess:
                pass
            except psutil.AccessDenied:
                break
        lock = keeper.lock_server(str(data_dir), wait=patience)
        if lock is not None:
            return lock
    raise DataDirInUse(
        f"{data_dir} is in use by a PostgreSQL server that cannot be stopped from here (another container or user?): "
        "stop it, or choose another data directory."
    )


def _server_in(cluster: Path) -> psutil.Process | None:
    """The process that the cluster's pid file names, if it is a server running in that cluster."""
    try:
        pid = int((cluster / "postmaster.pid").read_text().splitlines()[0])
        process = psutil.Process(pid)
        here = cluster.stat()
        # Through /proc the folder itself is compared, whatever it is called where that process lives.
        there = Path(f"/proc/{pid}/cwd" if sys.platform.startswith("linux") else process.cwd()).stat()
        if process.name() == "postgres" and (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino):
            return process
    except (OSError, ValueError, IndexError, psutil.Error):
        pass
    return None
