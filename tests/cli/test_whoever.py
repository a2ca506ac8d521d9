"""Whoever runs a command is noted beside what it changed, whether the system has a name for them or not."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from adapters.postgres.engine import DatabaseUrls
from insights.cli import app
from insights.cli.session import whoever
from tests.api.conftest import Api, api

__all__ = ["api"]

NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


@pytest.mark.parametrize("named", [True, False])
async def test_a_command_is_noted_with_who_ran_it(
    named: bool, api: Api, database_urls: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    if named:
        monkeypatch.setenv("LOGNAME", "ada")
    else:
        # A number that no line of /etc/passwd has, as `docker run --user` gives.
        monkeypatch.setattr(os, "getuid", lambda: 1_954_321_017)
    assert whoever() == ("ada" if named else "user 1954321017")
    monkeypatch.setenv("WHYLEFT_DATABASE_URL", database_urls.app)
    monkeypatch.setenv("WHYLEFT_OWNER_DATABASE_URL", database_urls.owner)
    monkeypatch.setenv("WHYLEFT_SECRET", api.services.settings.secret or "")
    project = (await api.client.get("/v1/project", headers=api.headers)).json()["name"]
    command = ["keys", "create", "--project", project, "--kind", "secret", "--name", f"k-{uuid4()}"]
    command += ["--data-dir", str(api.services.settings.data_dir)]
    done = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert done.exit_code == 0, (done.output, done.exception)
    [note, *_] = (await api.client.get("/v1/audit?subject=key", headers=api.headers)).json()["entries"]
    assert (note["actor_kind"], note["actor_name"]) == ("operator", f"{whoever()} on the command line")
    assert note["change"] == "made" and note["after"]["name"] == command[7]
