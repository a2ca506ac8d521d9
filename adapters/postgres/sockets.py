"""By which path clients find the server's socket: the data directory's own, or a short, plain, private alias of it."""

import contextlib
import fcntl
import hashlib
import os
import re
import stat
import sys
from pathlib import Path

from adapters.postgres import keeper
from adapters.postgres.embedded_errors import SocketPathUnusable

PORT = keeper.PORT
LONGEST = 107 if sys.platform.startswith("linux") else 103  # bytes
PLAIN = re.compile(r"[A-Za-z0-9/._~+ -]+")  # a comma makes a list of hosts of it, the rest needs care in a URL
SHARED = Path("/tmp")  # noqa: S108  a short path that every system has; what is made in it is private


class SocketFolder:
    """Where clients look for the socket. Keep it until the server has stopped, then `remove` it."""

    def __init__(self, data_dir: Path) -> None:
        """Raises SocketPathUnusable if the path needs an alias and no private one can be made."""
        run = data_dir / keeper.RUN
        self._alias: Path | None = None
        self._lock: int | None = None
        self.path = run
        if not fits(run):
            self._alias = _private(alias_of(run))
            self.path = self._alias / "run"
            self.path.unlink(missing_ok=True)
            self.path.symlink_to(run)
            # systemd-tmpfiles leaves a folder alone while somebody holds a lock on it.
            self._lock = os.open(self._alias, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_SH)

    def remove(self) -> None:
        """Take the alias away, if there is one."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if self._alias is not None:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
                self._alias.rmdir()
            self._alias = None


def fits(run: Path) -> bool:
    """Whether the data directory's own socket folder can be used as it is."""
    return len(os.fsencode(run / keeper.SOCKET)) <= LONGEST and PLAIN.fullmatch(str(run)) is not None


def alias_of(run: Path) -> Path:
    """The private folder that holds this user's alias of a socket folder."""
    return SHARED / f"whyleft-{os.geteuid()}-{hashlib.sha256(os.fsencode(run)).hexdigest()[:16]}"


def _private(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise SocketPathUnusable(
            f"{folder} cannot be made ({error.strerror}): choose a shorter data directory."
        ) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise SocketPathUnusable(
            f"{folder} is not private to this user: remove it, or choose a shorter data directory."
        )
    return folder
