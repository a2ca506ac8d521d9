"""Finds the embedded server that another process of this user runs on a data folder, without touching it."""

from __future__ import annotations

import os
from pathlib import Path

from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from adapters.postgres import embedded, keeper
from adapters.postgres.engine import APP_ROLE, DatabaseUrls
from adapters.postgres.sockets import PORT, alias_of, fits


def running(data_dir: Path) -> DatabaseUrls | None:
    """How to reach the server that holds ``data_dir``; None when none answers there.

    Only the holder's own user (or root) gets in: the socket stands in a folder that nobody else can enter.
    """
    run = data_dir.resolve() / keeper.RUN
    folder = run if fits(run) else alias_of(run) / "run"
    try:
        there = (folder / f".s.PGSQL.{PORT}").exists()
    except OSError:
        return None
    if not there:
        return None
    address = make_conninfo(host=os.fspath(folder), port=PORT, dbname="postgres", user=embedded.OWNER_ROLE)
    if PGconn.ping(address.encode()) != Ping.OK:
        return None
    return DatabaseUrls(
        owner=embedded.url(folder, embedded.DATABASE, embedded.OWNER_ROLE),
        app=embedded.url(folder, embedded.DATABASE, APP_ROLE),
    )
