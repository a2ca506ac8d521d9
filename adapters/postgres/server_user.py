"""Which operating-system user runs the embedded server: this one, or, as PostgreSQL refuses root, another for root."""

import contextlib
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.postgres.embedded_errors import DataDirNotWritable, ServerUserUnavailable

CANDIDATES_FOR_ROOT = ("postgres", "nobody")


@dataclass(frozen=True)
class ServerUser:
    """An operating-system user, and whether this process is that user already."""

    name: str
    uid: int
    gid: int
    is_me: bool

    def as_process_arguments(self) -> dict[str, Any]:
        """Keyword arguments for subprocess that make the child run as this user."""
        return {} if self.is_me else {"user": self.uid, "group": self.gid, "extra_groups": []}


def choose(cluster: Path) -> ServerUser:
    """The user to run the server of `cluster` (which need not exist yet): whoever owns it, since PostgreSQL insists.

    Raises DataDirNotWritable if somebody else owns it, ServerUserUnavailable if there is nobody to run it.
    """
    owner = cluster.stat().st_uid if cluster.exists() else None
    me = os.geteuid()
    if me != 0:
        if owner is not None and owner != me:
            raise DataDirNotWritable(
                f"{cluster} belongs to {name_of(owner)}: start as that user, or choose another data directory."
            )
        try:
            entry = pwd.getpwuid(me)
        except KeyError:
            raise ServerUserUnavailable(
                f"User id {me} has no entry in /etc/passwd, which PostgreSQL needs: add one, "
                "or set WHYLEFT_DATABASE_URL to a server of your own."
            ) from None
        return ServerUser(entry.pw_name, me, entry.pw_gid, is_me=True)
    if not sys.platform.startswith("linux"):
        raise ServerUserUnavailable("PostgreSQL does not run as root: start as a plain user.")
    if owner == 0:
        raise DataDirNotWritable(
            f"{cluster} belongs to root, and PostgreSQL does not run as root: give it back to the user who ran it "
            f"(chown -R {CANDIDATES_FOR_ROOT[0]} {cluster}), or choose another data directory."
        )
    if owner is not None:
        candidates = [ServerUser(name_of(owner), owner, cluster.stat().st_gid, is_me=False)]
    else:
        candidates = list(_candidates())
    if not candidates:
        raise ServerUserUnavailable(
            f"PostgreSQL does not run as root, and this machine has no user {' or '.join(CANDIDATES_FOR_ROOT)}: "
            "add one, or start as a plain user."
        )
    for user in candidates:
        if _can_become(user):
            return user
    raise ServerUserUnavailable(
        f"PostgreSQL does not run as root, and root may not become {candidates[0].name} here "
        "(a restricted container?): start as a plain user, or set WHYLEFT_DATABASE_URL to a server of your own."
    )


def _candidates() -> Iterator[ServerUser]:
    for name in CANDIDATES_FOR_ROOT:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            yield ServerUser(name, entry.pw_uid, entry.pw_gid, is_me=False)


def _can_become(user: ServerUser) -> bool:
    try:
        subprocess.run(["/bin/sh", "-c", ":"], check=True, cwd="/", **user.as_process_arguments())
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def name_of(uid: int) -> str:
    """The user's name, or "user id N" where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user id {uid}"
