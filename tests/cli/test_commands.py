"""The list of commands tells the truth, and none of them waits for what others import."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from insights.cli import app
from insights.cli.commands import COMMANDS

HEAVY = ("openai", "scipy", "fastapi", "numpy")
"""Packages that take longer to import than a short command takes to run."""


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_each_command_what_it_says_of_itself(name: str) -> None:
    loaded = COMMANDS[name].load(name)
    said = " ".join(loaded.help.partition("\n\n")[0].split())
    assert said == COMMANDS[name].summary


def test_the_list_names_every_command() -> None:
    printed = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"})
    assert printed.exit_code == 0
    for name, command in COMMANDS.items():
        assert name in printed.output
        assert command.summary in printed.output


def test_a_command_that_is_misspelt_is_told_the_right_one() -> None:
    refused = CliRunner().invoke(app, ["settngs"])
    assert refused.exit_code == 2
    assert "Did you mean 'settings'?" in refused.output


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(app, ["--version"]).output.startswith("whyleft ")


@pytest.mark.parametrize("asked", [["--help"], ["keys", "--help"], ["flows", "--help"], ["settings", "--help"]])
def test_a_short_command_loads_nothing_heavy(asked: list[str]) -> None:
    code = f"""
import sys
from insights.cli import app
app({asked!r}, standalone_mode=False)
print("loaded:", sorted(sys.modules.keys() & set({HEAVY!r})))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "loaded: []"
