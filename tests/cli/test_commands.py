"""The list of commands tells the truth, and none of them waits for what others import."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from insights.cli import app
from insights.cli.commands import COMMANDS
from insights.settings import PREFIX, Settings

HEAVY = ("openai", "scipy", "fastapi", "numpy", "aiohttp", "httpx")
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


@pytest.mark.parametrize(
    "asked", [["--help"], *([name, "--help"] for name in ("keys", "flows", "settings", "migrate"))]
)
def test_a_short_command_loads_nothing_heavy(asked: list[str]) -> None:
    code = f"""
import sys
from insights.cli import app
app({asked!r}, standalone_mode=False)
print("loaded:", sorted(sys.modules.keys() & set({HEAVY!r})))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "loaded: []"


NOT_YET = ("openai", "instructor", "scipy.optimize", "scipy.stats")
"""What a server needs for a model that nobody named yet, or for commands."""


def test_a_server_without_a_model_loads_none_and_nothing_of_what_only_commands_ask() -> None:
    code = f"""
import sys
import insights.app, insights.worker, insights.serving.joined
print("loaded:", sorted(sys.modules.keys() & set({NOT_YET!r})))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "loaded: []"


def leaves() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that call it."""
    for name in COMMANDS:
        command = COMMANDS[name].load(name)
        if hasattr(command, "commands"):
            yield from (((name, part), one) for part, one in command.commands.items())
        else:
            yield (name,), command


LISTENING = {("api",), ("worker",), ("serve",), ("demo",)}
"""What opens a port first, or waits for its database."""
ASKING = {
    words: command
    for words, command in leaves()
    if words not in LISTENING and "data_dir" in {parameter.name for parameter in command.params}
}
"""What reads or writes the database and ends."""
ARGUMENTS = {
    "email": "ada@example.org",
    "keep_days": "90",
    "key": "01a1f947-fcd8-7ddb-992e-3a9ababc459b",
    "kind": "write",
    "out": "gold.json",
    "provider": "shopify",
    "role": "reader",
    "source": "01a1f947-fcd8-7ddb-992e-3a9ababc459b",
    "version": "0",
}
"""What a parameter may be; all others may be any word."""


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_a_database_that_is_not_there_ends_a_command_in_one_sentence(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ASKING[words]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WHYLEFT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("WHYLEFT_SECRET", "x" * 32)
    flow = tmp_path / "flow.json"
    flow.write_text(json.dumps({"format": "whyleft-flow", "version": 1, "flow": {"name": "x"}}))
    call = list(words)
    for parameter in command.params:
        if parameter.required:
            value = str(flow) if parameter.name == "file" else ARGUMENTS.get(parameter.name, "x")
            call += [parameter.opts[0], value] if parameter.param_type_name == "option" else [value]
    ended = CliRunner().invoke(app, call, input="{}\n")
    assert isinstance(ended.exception, SystemExit), (call, ended.exception, ended.output)
    assert ended.exit_code == 1, (call, ended.output)
    assert "whyleft: " in ended.stderr and "Traceback" not in ended.stderr


def test_the_settings_are_told_whole_however_narrow_the_window() -> None:
    shown = CliRunner().invoke(app, ["settings"], env={"COLUMNS": "40", "WHYLEFT_LOG_JSON": "true"}).output
    for field in fields(Settings):
        assert f"{PREFIX}{field.name.upper()}=" in shown
        assert field.metadata["sentence"].split()[-1] in shown
    assert "WHYLEFT_LOG_JSON=yes" in shown
