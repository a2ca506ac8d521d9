"""Which operating-system user runs the embedded server: this one, or, as PostgreSQL refuses root, another for root."""

import os
import pwd
import sys
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
        if owner not in (None, me):
            raise DataDirNotWritable(
                f"{cluster} belongs to {_name(owner)}: start as that user or as root, or choose another data directory."
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
        return ServerUser(_name(owner), owner, cluster.stat().st_gid, is_me=False)
    for name in CANDIDATES_FOR_ROOT:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(name, entry.pw_uid, entry.pw_gid, is_me=False)
    raise ServerUserUnavailable(
        "PostgreSQL does not run as root, and this machine has no user postgres or nobody: add one, "
        "or start as a plain user."
    )


def _name(uid: int | None) -> str:
    try:
        return pwd.getpwuid(uid or 0).pw_name
    except KeyError:
        return f"user id {uid}"
