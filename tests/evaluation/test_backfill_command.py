"""`whyleft backfill` and `whyleft gold`, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from insights.cli import app


def run(*arguments: str, folder: Path) -> Result:
    return CliRunner().invoke(app, [*arguments, "--data-dir", str(folder)])


@pytest.mark.parametrize("command", [["backfill"], ["gold", "export"]])
def test_the_commands_explain_themselves(command: list[str]) -> None:
    shown = CliRunner().invoke(app, [*command, "--help"])
    assert shown.exit_code == 0
    assert "Example" in shown.stdout


def test_a_project_without_visits_and_one_that_there_is_not(tmp_path: Path) -> None:
    made = run("keys", "create", "--project", "shop", "--kind", "secret", "--json", folder=tmp_path)
    assert made.exit_code == 0, made.output
    done = run("backfill", "--project", "shop", "--json", folder=tmp_path)
    assert json.loads(done.stdout) == {"named": 0, "by_rules": 0, "skipped": 0, "batches_under_way": 0}
    assert run("backfill", "--project", "shop", "--batch", "--json", folder=tmp_path).exit_code in (0, 1)
    assert run("backfill", "--project", "nowhere", folder=tmp_path).exit_code == 1
    assert run("gold", "export", "--project", "shop", "--out", str(tmp_path / "g.json"), folder=tmp_path).exit_code == 1
    assert not (tmp_path / "g.json").exists()
