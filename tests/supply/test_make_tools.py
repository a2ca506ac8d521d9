"""Which Python `make` takes, and what it says where there is none that fits."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NEEDED = ("make", "node", "npm", "find", "env")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder that holds all programs that there are, but no Python."""
    for name in NEEDED:
        found = shutil.which(name)
        assert found is not None, name
        (tmp_path / name).symlink_to(found)
    return tmp_path


def add(path: Path, name: str, version: tuple[int, int]) -> None:
    """A Python that says it is of that version."""
    says = f"import sys\nsys.version_info = ({version[0]}, {version[1]}, 0)\n"
    says += f'print("Python {version[0]}.{version[1]}.0") if sys.argv[1] == "-V" else exec(sys.argv[2])\n'
    (path / name).write_text(f"#!{sys.executable}\n{says}")
    (path / name).chmod(0o755)


def check(path: Path, repository: Path, *words: str) -> tuple[int, str]:
    asked = ["make", "--no-print-directory", "check-tools", *words]
    done = subprocess.run(asked, cwd=repository, env={"PATH": str(path)}, capture_output=True, text=True)
    return done.returncode, done.stdout


def chosen(path: Path, repository: Path) -> str:
    asked = ["make", "--no-print-directory", "--eval", "which: ; @echo '$(PYTHON)';", "which"]
    done = subprocess.run(asked, cwd=repository, env={"PATH": str(path)}, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_python_that_is_too_new_or_too_old_is_passed_over(path: Path, repository: Path) -> None:
    add(path, "python3", (3, 15))
    add(path, "python3.12", (3, 12))
    assert chosen(path, repository) == "python3.12"
    assert check(path, repository) == (0, "")
    add(path, "python3", (3, 13))
    assert chosen(path, repository) == "python3"
    add(path, "python3", (3, 10))
    assert chosen(path, repository) == "python3.12"


@pytest.mark.parametrize("version", [(3, 10), (3, 15), (4, 0)])
def test_where_none_fits_it_is_said_which_would(path: Path, repository: Path, version: tuple[int, int]) -> None:
    add(path, "python3", version)
    code, said = check(path, repository)
    assert code == 2
    assert said.startswith(f"python3 is Python {version[0]}.{version[1]}.0: install Python 3.11 to 3.14")


def test_without_any_it_is_said_that_it_is_missing_and_a_given_one_is_taken(path: Path, repository: Path) -> None:
    code, said = check(path, repository)
    assert (code, said.partition(":")[0]) == (2, "python3 is missing")
    add(path, "mine", (3, 14))
    assert check(path, repository, f"PYTHON={path / 'mine'}") == (0, "")
