"""``whyleft migrate``."""

from __future__ import annotations

from insights.cli.options import DataDir
from insights.cli.trouble import screen, told
from insights.settings import Settings
from insights.wiring.database import open_database


def migrate(data_dir: DataDir = None) -> None:
    """Bring the database's schema up to date (serve does it too).

    Example: [bold]WHYLEFT_DATABASE_URL=postgresql://… whyleft migrate[/bold]
    """
    with told():
        with open_database(Settings.from_environment(data_dir=data_dir)):
            pass
        screen.print("The schema is up to date.")
