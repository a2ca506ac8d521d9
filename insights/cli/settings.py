"""``whyleft settings``: the settings table."""

from __future__ import annotations

from dataclasses import fields

from rich.console import Console
from rich.table import Table

from insights.cli.trouble import told
from insights.settings import PREFIX, Settings


def settings() -> None:
    """Show every setting: environment variable, value in force, what it does.

    Example: [bold]WHYLEFT_SESSION_QUIET_SECONDS=1800 whyleft settings[/bold]
    """
    with told():
        current = Settings.from_environment()
        table = Table("variable", "value", "what it does")
        for field in fields(Settings):
            value = getattr(current, field.name)
            shown = "(set)" if field.metadata["secret"] and value else str(value)
            table.add_row(PREFIX + field.name.upper(), shown, field.metadata["sentence"])
        Console(highlight=False, markup=False).print(table)
