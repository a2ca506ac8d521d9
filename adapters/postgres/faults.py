"""Tells a database that went away from one that refuses something."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# Connection exceptions; an administrator's or a crash's end of the session; still starting; too many connections.
DISK_FULL = "53100"
_GONE = ("08", "57P", "53300")
READ_ONLY = "25006"
_HELD = ("55P03", "40P01", "40001")
_OF_SERVER = ("25", "42")


def gone(error: BaseException) -> bool:
    """Whether the database cannot be reached at the moment: the same again later may well succeed, and nothing is wrong
    with what was asked: a server that takes no writes is not the one. A deadlock or a lock that was waited for too long
    is another matter."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated or isinstance(error, InterfaceError):
            return True
        state = getattr(error.orig, "sqlstate", None)
        return is_read_only(error) or (
            isinstance(error, OperationalError) and (state is None or state.startswith(_GONE))
        )
    return isinstance(error, PoolTimeout)


def is_read_only(error: BaseException) -> bool:
    """Whether the server takes no writes: it is a standby, or set to read only."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) == READ_ONLY


def held_up(error: BaseException) -> bool:
    """Whether somebody else held what was asked for: a lock waited for too long, a deadlock, a serialization failure.
    Nothing is wrong with what was asked."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _HELD


def disk_is_full(error: BaseException) -> bool:
    """Whether the database cannot store for lack of room: the same again succeeds once somebody has made some."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) == DISK_FULL


def takes_nothing(error: BaseException) -> bool:
    """Whether the server is at fault and not what it was given: it is a standby, its schema is another, a right is
    missing. The same again succeeds once somebody has mended that."""
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    return state is not None and state.startswith(_OF_SERVER)


def first_line(error: BaseException) -> str:
    """What PostgreSQL or libpq says is wrong, without what follows it."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def is_duplicate(error: DBAPIError) -> bool:
    """Whether a row with the same key is there already."""
    return getattr(error.orig, "sqlstate", None) == "23505"
