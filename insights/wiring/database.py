"""Opens the database that the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.postgres import embedded, migrate, neighbour
from adapters.postgres.engine import DatabaseUrls
from insights.settings import SettingInvalid, Settings
from insights.shipped import shipped


@contextmanager
def open_database(settings: Settings) -> Iterator[DatabaseUrls]:
    """The database that the settings name, with its schema up to date; the embedded one runs as long as this."""
    given = _given_database(settings)
    if given is not None:
        migrate.upgrade(given.owner, shipped("migrations"))
        yield given
        return
    with embedded.start(settings.data_dir / "postgres") as server:
        migrate.upgrade(server.owner_url, shipped("migrations"))
        yield DatabaseUrls(owner=server.owner_url, app=server.app_url)


def running_database(settings: Settings) -> DatabaseUrls | None:
    """The embedded database that another process runs on the same data folder, if one does."""
    return None if _given_database(settings) else neighbour.running(settings.data_dir / "postgres")


def shared_database(settings: Settings) -> DatabaseUrls:
    """The database that several processes work on: the settings' own, or the embedded one that a `whyleft serve` runs
    on the same data folder. Neither is started or changed here. Raises SettingInvalid."""
    shared = _given_database(settings) or running_database(settings)
    if shared is None:
        raise SettingInvalid(
            "There is no database to share: set WHYLEFT_DATABASE_URL, or start `whyleft serve` on "
            f"{settings.data_dir} first; its embedded PostgreSQL then serves this process too."
        )
    return shared


def _given_database(settings: Settings) -> DatabaseUrls | None:
    if not settings.database_url:
        # The owner's alone is one URL, and leads past a pooler.
        return DatabaseUrls.from_settings(settings.owner_database_url) if settings.owner_database_url else None
    return DatabaseUrls.from_settings(
        settings.database_url, settings.owner_database_url, pooled=settings.database_pooled
    )
