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
PRINTS = {
    "python": "\nimport sys\nprint(sign(sys.argv[1], sys.argv[2]))",
    "js": "\nconsole.log(sign(process.argv[2], process.argv[3]));",
}


def program(language: str) -> list[str]:
    """What runs a file of that language."""
    if language == "python":
        return [sys.executable]
    node = shutil.which("node")
    if node is None:
        missing("install node")
    return [node]


@pytest.mark.parametrize(("language", "ending"), [("python", "py"), ("js", "mjs")])
async def test_the_documents_lines_sign_as_the_server_does(
    repository: Path, tmp_path: Path, language: str, ending: str
) -> None:
    text = (repository / "docs" / "identity.md").read_text()
    [lines] = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    file = tmp_path / f"sign.{ending}"
    file.write_text(lines + PRINTS[language], encoding="utf-8")
    for kind, name in NAMES:
        command = [*program(language), str(file), kind, name]
        env = {"IDENTITY_SECRET": SECRET, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False, timeout=60, env=env
        )
        assert done.stdout.strip() == sign(SECRET.encode(), kind, name), done.stderr
