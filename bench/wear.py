"""Brings a fresh PostgreSQL to the state of one that has run for some days: it writes into log segments that exist.

The first hour of a new one, in which each segment is filled with zeros first and every commit waits for that, is not
what is measured.
"""

from __future__ import annotations

from typing import Final

import psycopg

from adapters.postgres.engine import DatabaseUrls, conninfo

LOG_SEGMENTS: Final = 40
"""640 MB of log: more than is written between two ``settle``."""


def wear_in(urls: DatabaseUrls) -> None:
    """Fills ``LOG_SEGMENTS`` of the log and frees them again."""
    with psycopg.connect(conninfo(urls.owner), autocommit=True) as connection:
        for _ in range(LOG_SEGMENTS):
            connection.execute("SELECT pg_logical_emit_message(false, 'bench', '')")
            connection.execute("SELECT pg_switch_wal()")
    settle(urls)


def settle(urls: DatabaseUrls) -> None:
    """A checkpoint: what was written of the log so far is free to be written again."""
    with psycopg.connect(conninfo(urls.owner), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
