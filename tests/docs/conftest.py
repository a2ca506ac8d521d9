"""The pages that people read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def files(repository: Path) -> list[Path]:
    """Every file under version control."""
    listed = subprocess.run(["git", "ls-files"], cwd=repository, capture_output=True, text=True, check=True).stdout
    return [repository / line for line in listed.splitlines()]


@pytest.fixture(scope="session")
def pages(files: list[Path]) -> list[Path]:
    """Every page that people read."""
    return [file for file in files if file.suffix == ".md"]
