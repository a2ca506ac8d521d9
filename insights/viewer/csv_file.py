"""Writes a table as CSV that a spreadsheet shows as it stands: no text in it is calculated as a formula.

Every CSV of the viewer is written here. A text that a spreadsheet would take for a formula gets an apostrophe in front,
which is how spreadsheets themselves mark a text (https://owasp.org/www-community/attacks/CSV_Injection). Numbers are
written as numbers, so that a negative one stays one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.responses import Response

Cell = str | int | float
_BEGINNINGS: Final = frozenset("=+-@\t\r\n＝＋－＠")
"""What a formula may begin with, also written wide as East Asian keyboards do."""


def as_csv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """The table, RFC 4180: comma, CRLF, quoted where it must be."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_inert(name) for name in header])
    writer.writerows([_inert(cell) for cell in row] for row in rows)
    return out.getvalue()


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Response:
    """The table as a file to keep. ``name``: ours, in letters that a header takes."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(as_csv(header, rows), media_type="text/csv; charset=utf-8", headers=headers)


def _inert(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    # Some trim what stands in front before they look.
    begins = cell[:1] in _BEGINNINGS or cell.lstrip()[:1] in _BEGINNINGS
    return f"'{cell}" if cell and begins else cell
