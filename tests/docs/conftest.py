"""The pages that people read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tracked import tracked


@pytest.fixture(scope="session")
def files(repository: Path) -> list[Path]:
    """Every file of the project."""
    return tracked(repository)


@pytest.fixture(scope="session")
def pages(files: list[Path]) -> list[Path]:
    """Every page that people read."""
    return [file for file in files if file.suffix == ".md"]
