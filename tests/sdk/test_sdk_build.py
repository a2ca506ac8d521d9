"""The script is built wherever the repository lies."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def test_it_is_built_in_a_folder_with_blanks_and_letters_of_any_language(repository: Path, tmp_path: Path) -> None:
    """Node gives a module's own place as an address, in which such letters are written otherwise."""
    source, copy = repository / "sdk-web", tmp_path / "my shop" / "größe"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (copy / "node_modules").symlink_to((source / "node_modules").resolve())
    done = subprocess.run(["node", "build.mjs"], cwd=copy, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (copy / "dist" / "whyleft.js").read_bytes() == (source / "dist" / "whyleft.js").read_bytes()
