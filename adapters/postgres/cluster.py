"""What is on disk: an empty cluster is made once, whole or not at all, and an unfit one is refused with the reason."""

import errno
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from adapters.postgres import keeper, server_user
from adapters.postgres.binaries import MAJOR, Binaries
from adapters.postgres.embedded_errors import (
    DataDirNotOurs,
    DataDirNotWritable,
    NoSpaceLeft,
    ServerDidNotStart,
    WrongMajorVersion,
)
from adapters.postgres.owners import OWNER_LOCK
from adapters.postgres.server_user import ServerUser

ROOM_FOR_A_CLUSTER = 200_000_000  # bytes: an empty cluster with its first WAL takes about 50 MB

# What may lie in a data directory before the first start has come to its end.
OURS = (f"{keeper.CLUSTER}.new-", keeper.LOG, keeper.SERVER_LOCK, OWNER_LOCK, keeper.RUN, keeper.CONF)

# Written into the cluster's postgresql.conf once: an operator may change them there or with ALTER SYSTEM.
TUNABLE = {
    "max_connections": "100",
    "shared_buffers": "128MB",
    # Segments of the log are kept and written again, also over a quiet night: each new one is filled with zeros first,
    # which holds every commit up for 50 to 90 ms, and a busy shop fills two in a second.
    "min_wal_size": "1GB",
    "max_wal_size": "2GB",
    # After each checkpoint a page that changes is written to the log whole: seldom is better.
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",  # the data is on an SSD or in the page cache
    "jit": "off",  # the queries are short
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# Given on the command line at every start: nothing in the data directory can undo them.
FIXED = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    # Statements and details quote rows, and rows hold e-mail addresses.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "cluster_name": "whyleft",
}


def options() -> list[str]:
    """The fixed settings as command-line arguments of the server."""
    return [part for name, value in FIXED.items() for part in ("-c", f"{name}={value}")]


def check(data_dir: Path) -> None:
    """Raises what keeps this server from using `data_dir`: another owner, another version, other contents."""
    status = data_dir.stat()
    if status.st_uid != os.geteuid():
        # Root included: in a folder that somebody else controls it could be led to write anywhere.
        raise DataDirNotWritable(
            f"{data_dir} belongs to {server_user.name_of(status.st_uid)}: start as that user, "
            "or choose another data directory."
        )
    if status.st_mode & 0o022:
        data_dir.chmod(0o700)
    version = data_dir / keeper.CLUSTER / "PG_VERSION"
    if version.exists():
        found = version.read_text().strip()
        if found != str(MAJOR):
            raise WrongMajorVersion(
                f"{data_dir} was written by PostgreSQL {found} and this is {MAJOR}: choose another data directory, "
                "or dump it with the old version and load it here."
            )
        return
    others = [path.name for path in data_dir.iterdir() if not path.name.startswith(OURS)]
    if others or (data_dir / keeper.CLUSTER).exists():
        raise DataDirNotOurs(
            f"{data_dir} holds something else already ({', '.join(sorted(others)[:3]) or keeper.CLUSTER}): "
            "choose an empty data directory."
        )


def make(data_dir: Path, binaries: Binaries, user: ServerUser) -> None:
    """Make the empty cluster in `data_dir` as `user`. Killed halfway, it leaves nothing that counts as a cluster.

    Raises NoSpaceLeft, or ServerDidNotStart with what initdb said.
    """
    if shutil.disk_usage(data_dir).free < ROOM_FOR_A_CLUSTER:
        raise NoSpaceLeft(
            f"The disk of {data_dir} has less than {ROOM_FOR_A_CLUSTER // 1_000_000} MB left: free some space, "
            "or choose another data directory."
        )
    # A new name each time: an initdb whose starter was killed may still be writing into the last one.
    for unfinished in data_dir.glob(f"{keeper.CLUSTER}.new-*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    fresh = Path(tempfile.mkdtemp(prefix=f"{keeper.CLUSTER}.new-", dir=data_dir))
    private_folder(fresh, user)
    command = [str(binaries.initdb), "--username=postgres", "--auth=peer", "--no-instructions", "--encoding=UTF8"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--lc-collate=C", "--lc-ctype=C"]
    command += [f"--set={name}={value}" for name, value in TUNABLE.items()]
    path = keeper.server_path(str(fresh))
    descriptors = [int(Path(path).name)] if path != str(fresh) else []
    try:
        done = subprocess.run(  # noqa: S603
            [*command, f"--pgdata={path}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd="/",
            umask=0o077,
            env=keeper.clean_environment(),
            pass_fds=descriptors,
            **user.as_process_arguments(),
        )
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    if done.returncode:
        shutil.rmtree(fresh, ignore_errors=True)
        raise said(data_dir, "initdb", done.stderr)
    fresh.rename(data_dir / keeper.CLUSTER)
    descriptor = os.open(data_dir, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_access_rules(data_dir: Path) -> None:
    """Who may connect: root and whoever starts the server, as any role, and nobody else who reaches the socket."""
    folder = data_dir / keeper.CONF
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    names = {"root", pwd.getpwuid(os.geteuid()).pw_name}
    _write(folder / "pg_hba.conf", "local all all peer map=whyleft\n")
    _write(folder / "pg_ident.conf", "".join(f'whyleft "{name}" all\n' for name in sorted(names)))


def private_folder(path: Path, user: ServerUser) -> None:
    """Make `path` if it is missing; only `user` (and root) may enter it."""
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    if not user.is_me:
        os.chown(path, user.uid, user.gid)


def unusable(data_dir: Path, error: OSError) -> NoSpaceLeft | DataDirNotWritable:
    """The error for what the operating system refused in `data_dir`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(data_dir)
    return DataDirNotWritable(
        f"{data_dir} cannot be used ({error.strerror}: {error.filename}): give this user access to it, "
        "or choose another data directory."
    )


def said(data_dir: Path, program: str, words: str) -> NoSpaceLeft | ServerDidNotStart:
    """The error for what a PostgreSQL program wrote before it gave up."""
    if "No space left on device" in words:
        return _full(data_dir)
    lines = [line for line in words.splitlines() if line.strip()][-8:]
    quoted = " | ".join(lines) or "nothing"
    return ServerDidNotStart(f"{program} could not start in {data_dir}; its last words: {quoted}")


def _write(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.chmod(0o644)
    fresh.replace(path)


def _full(data_dir: Path) -> NoSpaceLeft:
    return NoSpaceLeft(f"The disk of {data_dir} is full: free some space, or choose another data directory.")
