"""The unit that docs/operate.md shows: systemd reads it, finds it closed, and processes live under it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import confined
from tests.processes.conftest import Installation
from tests.processes.started import Started, environment

ANALYZE = shutil.which("systemd-analyze")


@pytest.fixture
def unit(repository: Path, tmp_path: Path) -> Path:
    [text] = re.findall(r"```ini\n(\[Unit\].*?)```", (repository / "docs" / "operate.md").read_text(), re.DOTALL)
    path = tmp_path / "whyleft@api.service"
    path.write_text(text.replace("/opt/whyleft/.venv/bin/whyleft", "/bin/true"))
    return path


def test_no_secret_stands_in_the_unit_and_the_database_is_told_to_end_last(unit: Path) -> None:
    text = unit.read_text()
    assert "KillMode=mixed" in text
    assert {"secret", "database"} == set(re.findall(r"^LoadCredential=(\w+):", text, re.MULTILINE))
    assert not re.search(r"(SECRET|PASSWORD|KEY|URL)=", text)


@pytest.mark.skipif(ANALYZE is None, reason="systemd is not here")
def test_systemd_reads_it_and_finds_little_open(unit: Path) -> None:
    assert ANALYZE is not None
    read = subprocess.run([ANALYZE, "verify", unit], capture_output=True, text=True, check=False, timeout=60)
    # What is wrong with other units of this machine is none of ours.
    assert unit.name not in read.stdout + read.stderr
    judged = subprocess.run(
        [ANALYZE, "security", "--offline=yes", unit], capture_output=True, text=True, check=False, timeout=60
    )
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", judged.stdout)
    assert level is not None, judged.stderr
    assert float(level[1]) <= 2.0


@pytest.mark.skipif(ANALYZE is None, reason="systemd is not here")
@pytest.mark.parametrize("command", ["api", "worker"])
async def test_a_process_starts_and_ends_with_the_system_calls_that_the_unit_leaves(
    unit: Path, installation: Installation, command: str
) -> None:
    """Libraries ask for more than they need: numpy binds memory to a processor, which must not end the process."""
    given = environment(installation.urls, installation.data_dir)
    process = Started(given, command, through=(sys.executable, confined.__file__, str(unit)))
    installation.started.append(process)
    await process.ready()
    assert await process.stop() == 0
