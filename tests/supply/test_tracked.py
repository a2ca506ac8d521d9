"""The tests look through the same files in a checkout and in an archive without version control."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.tracked import tracked, unignored


def test_a_copy_without_version_control_is_looked_through_too(tmp_path: Path, repository: Path) -> None:
    ours = ("README.md", "insights/app.py", "bench/ingest.py", "sdk-web/src/index.ts")
    left_out = ("a/__pycache__/b.py", "c.pyc", "sdk-web/dist/whyleft.js", "bench/results/x.json", ".venv/bin/python")
    for name in (*ours, *left_out):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / ".gitignore").write_text((repository / ".gitignore").read_text())
    expected = {tmp_path / name for name in (".gitignore", *ours)}
    assert set(tracked(tmp_path)) == expected
    if shutil.which("git") is None:
        return
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    assert set(tracked(tmp_path)) == set(unignored(tmp_path)) == expected
