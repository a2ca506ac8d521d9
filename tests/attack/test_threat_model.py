"""The threat model points at tests that exist, and so do the rows of the attack."""

from __future__ import annotations

import re
from pathlib import Path

from bench.attack.rows import ROWS


def test_every_test_that_the_threat_model_names_exists(repository: Path) -> None:
    named = set(re.findall(r"`(tests/[\w/.]+)`", (repository / "docs" / "threat-model.md").read_text()))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (repository / name).exists()] == []


def test_every_row_of_the_attack_has_tests_that_exist(repository: Path) -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 18
    assert [name for row in ROWS for name in row.tests if not (repository / name).exists()] == []
