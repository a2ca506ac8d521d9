"""Prints lists so that every value can be copied whole: nothing is cut in a pipe, nor in a narrow window."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from insights.logs import printable


class Listing:
    """Rows under headings. Where the window is too narrow for a table, each row is a paragraph of its own."""

    def __init__(self, *headings: str) -> None:
        self._headings = headings
        self._rows: list[tuple[str, ...]] = []

    def add(self, *values: str) -> None:
        """One row, a value for each heading."""
        self._rows.append(tuple(printable(value).replace("\n", " ") for value in values))

    def show(self, empty: str) -> None:
        """Prints it; ``empty`` where there is no row."""
        screen = Console(highlight=False, markup=False, soft_wrap=True)
        if not self._rows:
            screen.print(empty)
            return
        table = Table(*self._headings)
        for row in self._rows:
            table.add_row(*map(Text, row))
        width = screen.measure(table, options=screen.options.update(max_width=10_000)).maximum
        if not sys.stdout.isatty():
            screen.width = max(width, screen.width)
        if width <= screen.width:
            screen.print(table)
            return
        longest = max(map(len, self._headings))
        for row in self._rows:
            for heading, value in zip(self._headings, row, strict=True):
                if value:
                    screen.print(Text(f"{heading:{longest}}  {value}"))
            screen.print()
