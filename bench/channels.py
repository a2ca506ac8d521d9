"""The fault matrix of the channels, as a table or with --json: `python -m bench.channels [kind …]`.

Every kind of the registry sends once at a provider on loopback for every way in which one goes wrong. Exit status 1
when a cell is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from rich.console import Console
from rich.table import Table

from tests.channels.contract.examples import EXAMPLES
from tests.channels.contract.matrix import FAULTS, Cell, struck


async def cells(kinds: list[str]) -> list[Cell]:
    """Every cell, one send at a time."""
    return [await struck(EXAMPLES[kind], fault) for fault in FAULTS for kind in kinds]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.channels", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="kind")
    parser.add_argument("--json", action="store_true", help="one JSON object a cell")
    given = parser.parse_args()
    if unknown := [kind for kind in given.kinds if kind not in EXAMPLES]:
        parser.error(f"there is no channel {unknown[0]!r}; use one of {', '.join(sorted(EXAMPLES))}")
    kinds = given.kinds or sorted(EXAMPLES)
    found = asyncio.run(cells(kinds))
    wrong = [cell for cell in found if not cell.right]
    if given.json:
        for cell in found:
            print(json.dumps({"kind": cell.kind, "fault": cell.fault, **_said(cell), "right": cell.right}))
    else:
        _print(kinds, found)
    print(f"{len(found)} cells, {len(wrong)} wrong", file=sys.stderr)
    return 1 if wrong else 0


def _said(cell: Cell) -> dict[str, str | int]:
    return {"result": type(cell.result).__name__, "expected": cell.expected, "sends_arrived": cell.arrived}


def _print(kinds: list[str], found: list[Cell]) -> None:
    table = Table(title="What a channel makes of a provider that goes wrong")
    table.add_column("fault")
    for kind in kinds:
        table.add_column(kind)
    by_place = {(cell.fault, cell.kind): cell for cell in found}
    for fault in FAULTS:
        row = [by_place[fault, kind] for kind in kinds]
        table.add_row(fault, *(type(c.result).__name__ + ("" if c.right else f" (not {c.expected})") for c in row))
    Console(width=max(120, 42 + 16 * len(kinds))).print(table)


if __name__ == "__main__":
    sys.exit(main())
