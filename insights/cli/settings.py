"""``whyleft settings``: what is set, and to what."""

from __future__ import annotations

from dataclasses import fields

from rich.console import Console
from rich.padding import Padding

from insights.cli.trouble import told
from insights.settings import PREFIX, Settings


def settings() -> None:
    """Show every setting: environment variable, value in force, what it does.

    Example: [bold]WHYLEFT_SESSION_QUIET_SECONDS=1800 whyleft settings[/bold]
    """
    with told():
        current = Settings.from_environment()
        screen = Console(highlight=False, markup=False)
        for field in fields(Settings):
            value = getattr(current, field.name)
            shown = "(set)" if field.metadata["secret"] and value else _written(value)
            screen.print(f"{PREFIX}{field.name.upper()}={shown}", style="bold", soft_wrap=True)
            screen.print(Padding(field.metadata["sentence"], (0, 0, 0, 4)))


def _written(value: object) -> str:
    """A value as it is set in the environment."""
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
