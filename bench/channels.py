"""The fault matrix of the channels, as a table or with --json: `python -m bench.channels [kind …]`.

Every kind of the registry sends once at a provider on loopback for every way in which one goes wrong, and for every
answer of its own that means something else than its status says, errors inside a success among them; SMTP does so at a
mail server. Exit status 1 when a cell is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from rich.console import Console
from rich.table import Table

from tests.channels.contract.examples import EXAMPLES
from tests.channels.contract.matrix import FAULTS, Cell, answered, struck
from tests.channels.contract.smtp_faults import SMTP_FAULTS, struck_by_smtp


async def cells(kinds: list[str]) -> list[Cell]:
    """Every cell, one send at a time."""
    return [await struck(EXAMPLES[kind], fault) for fault in FAULTS for kind in kinds]


async def own_words(kinds: list[str]) -> list[Cell]:
    """Every answer that a provider has words of its own for."""
    found = []
    for kind in kinds:
        for name, case in EXAMPLES[kind].cases.items():
            result, arrived = await answered(EXAMPLES[kind], name)
            status = f"{name} ({case.reply.status})"
            found.append(Cell(kind, status, case.means.__name__, result, arrived))
    return found


async def smtp() -> list[Cell]:
    """Every fault of a mail relay."""
    return [
        Cell("smtp", fault, row.means.__name__, await struck_by_smtp(fault), 1) for fault, row in SMTP_FAULTS.items()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.channels", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="kind")
    parser.add_argument("--json", action="store_true", help="one JSON object a cell")
    given = parser.parse_args()
    if unknown := [kind for kind in given.kinds if kind not in EXAMPLES]:
        parser.error(f"there is no channel {unknown[0]!r}; use one of {', '.join(sorted(EXAMPLES))}")
    kinds = given.kinds or sorted(EXAMPLES)
    matrix = asyncio.run(cells(kinds))
    rest = asyncio.run(own_words(kinds)) + ([] if given.kinds else asyncio.run(smtp()))
    found = matrix + rest
    wrong = [cell for cell in found if not cell.right]
    if given.json:
        for cell in found:
            print(json.dumps({"kind": cell.kind, "fault": cell.fault, **_said(cell), "right": cell.right}))
    else:
        _print(kinds, matrix)
        _print_rest(rest)
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


def _print_rest(rest: list[Cell]) -> None:
    table = Table("channel", "what the provider says or does", "result", title="In the words of each provider")
    for cell in rest:
        result = type(cell.result).__name__ + ("" if cell.right else f" (not {cell.expected})")
        table.add_row(cell.kind, cell.fault, result)
    Console(width=120).print(table)


if __name__ == "__main__":
    sys.exit(main())
