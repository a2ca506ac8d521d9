"""Drops the daily partitions of the events that are older than is kept, and the same days' rows outside of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

import psycopg
from psycopg import sql

from adapters.postgres.engine import conninfo

_NAME: Final = re.compile(r"event_(\d{4})(\d{2})(\d{2})")
DEFAULT: Final = "event_default"
FEWEST_DAYS: Final = 2
"""Days before today that are always kept: sessions of yesterday may still be open."""
LOCK_TIMEOUT: Final = "2s"
"""Dropping waits for whoever reads the events, and everybody who comes later waits behind it: not for long."""
TRIES: Final = 10


class PartitionsNotDropped(Exception):
    """Somebody reads the events all the time, or this login may not drop them."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One day of events. ``bytes`` with its index; ``rows`` as the planner estimates them."""

    name: str
    day: date
    rows: int
    bytes: int


def partitions(owner_url: str) -> list[Partition]:
    """The daily partitions, oldest first."""
    found = [(_NAME.fullmatch(name), name, count, size) for name, count, size in _parts(owner_url)]
    return [
        Partition(name, date(int(day[1]), int(day[2]), int(day[3])), count, size)
        for day, name, count, size in found
        if day is not None
    ]


def outside(owner_url: str) -> tuple[int, int]:
    """What stands outside of the daily partitions, for no day of its own was ever made: events, as the planner
    estimates them, and bytes with their index."""
    return next((count, size) for name, count, size in _parts(owner_url) if name == DEFAULT)


def _parts(owner_url: str) -> list[tuple[str, int, int]]:
    with psycopg.connect(conninfo(owner_url)) as connection:
        return connection.execute(
            "SELECT c.relname, greatest(c.reltuples, 0)::bigint, pg_total_relation_size(c.oid) FROM pg_inherits AS i "
            "JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = 'event'::regclass ORDER BY c.relname"
        ).fetchall()


def drop_before(owner_url: str, day: date) -> list[Partition]:
    """Drops every event whose session began before ``day`` (UTC); returns the partitions that went.

    Sessions, insights, decisions and everything else that was made of the events stay. Raises PartitionsNotDropped;
    whatever was dropped by then stays dropped.
    """
    old = [partition for partition in partitions(owner_url) if partition.day < day]
    with psycopg.connect(conninfo(owner_url), autocommit=True) as connection:
        connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
        for partition in old:
            _drop(connection, partition.name)
        _delete_default(connection, day)
    return old


def _drop(connection: psycopg.Connection, name: str) -> None:
    for _ in range(TRIES):
        try:
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
            return
        except psycopg.errors.LockNotAvailable:
            continue
        except psycopg.errors.InsufficientPrivilege as error:
            raise PartitionsNotDropped(
                "This login does not own the events: give the owner's URL as WHYLEFT_OWNER_DATABASE_URL."
            ) from error
    raise PartitionsNotDropped(f"{name} could not be dropped: somebody reads the events all the time. Try again later.")


def _delete_default(connection: psycopg.Connection, day: date) -> None:
    """Row-level security holds for the owner, too: one project after the other."""
    first = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    bound = UUID(int=first << 80)
    for (project_id,) in connection.execute("SELECT id FROM project").fetchall():
        with connection.transaction():
            connection.execute("SELECT set_config('whyleft.project_id', %s, true)", [str(project_id)])
            connection.execute("DELETE FROM event_default WHERE session_id < %s", [bound])


def today(owner_url: str, now: datetime) -> date:
    """The day (UTC) by ``now`` or by the database's clock, whichever is earlier: what is dropped is old by both."""
    with psycopg.connect(conninfo(owner_url)) as connection:
        [there] = connection.execute("SELECT clock_timestamp()").fetchone() or [now]
    return min(now, there).astimezone(UTC).date()


def kept_since(today: date, days: int) -> date:
    """The first day that is kept when ``days`` whole days before today are."""
    return today - timedelta(days=days)
