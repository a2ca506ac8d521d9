"""The lines of docs/identity.md that sign a name do it as the server expects."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from insights.identity.proof import sign
from tests.needed import missing

SECRET = "wl_i_a-secret_of_a_project"
NAMES = [("user_id", "42"), ("email", "ada@shop.example"), ("user_id", "Ünïcode / 客户:1")]
ENDINGS = {"python": "py", "js": "mjs", "php": "php", "ruby": "rb"}
PRINTS = {
    "python": "\nimport sys\nprint(sign(sys.argv[1], sys.argv[2]))",
    "js": "\nconsole.log(sign(process.argv[2], process.argv[3]));",
    "php": "\necho sign($argv[1], $argv[2]);",
    "ruby": "\nputs sign(ARGV[0], ARGV[1])",
}
OPENS = {"php": "<?php\n"}
PROGRAMS = {"js": "node", "php": "php", "ruby": "ruby"}


def program(language: str) -> list[str]:
    """What runs a file of that language."""
    if language == "python":
        return [sys.executable]
    found = shutil.which(PROGRAMS[language])
    if found is None:
        missing(f"install {PROGRAMS[language]}")
    return [found]


def written(repository: Path, folder: Path, language: str) -> list[str]:
    """The command that signs with the document's lines, put into a file."""
    command = program(language)
    text = (repository / "docs" / "identity.md").read_text()
    [lines] = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    file = folder / f"sign.{ENDINGS[language]}"
    file.write_text(OPENS.get(language, "") + lines + PRINTS[language], encoding="utf-8")
    return [*command, str(file)]


async def run(command: list[str], **env: str) -> subprocess.CompletedProcess[str]:
    env |= {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False, timeout=60, env=env
    )


@pytest.mark.parametrize("language", ENDINGS)
async def test_the_documents_lines_sign_as_the_server_does(repository: Path, tmp_path: Path, language: str) -> None:
    command = written(repository, tmp_path, language)
    for kind, name in NAMES:
        done = await run([*command, kind, name], IDENTITY_SECRET=SECRET)
        assert done.stdout.strip() == sign(SECRET.encode(), kind, name), done.stderr


@pytest.mark.parametrize("language", ENDINGS)
async def test_nothing_is_signed_without_a_secret(repository: Path, tmp_path: Path, language: str) -> None:
    """Signed with an empty one, every name would be taken for a forgery, and nobody would know why."""
    done = await run([*written(repository, tmp_path, language), "user_id", "42"])
    assert done.returncode != 0
    assert sign(b"", "user_id", "42") not in done.stdout
