"""The keeper: its log, and how long it goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from adapters.postgres import keeper
from tests.postgres.processes import eventually


def test_the_log_is_bounded(tmp_path: Path) -> None:
    log = keeper._Log(str(tmp_path / "server.log"))
    for _ in range(300):
        log.write(b"x" * 100_000)
    log.say("done")
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["server.log", "server.log.1", "server.log.2", "server.log.3"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 5 * keeper.LOG_BYTES
    assert (tmp_path / "server.log").read_bytes().endswith(b"keeper: done\n")


def test_a_server_that_cannot_start_for_long_is_started_again_until_its_owner_goes(tmp_path: Path) -> None:
    """On a full disk it dies again and again; whoever makes room on it should not have to restart anything."""
    for folder in (keeper.CLUSTER, keeper.RUN, keeper.CONF):
        (tmp_path / folder).mkdir()
    hasty = "from adapters.postgres import keeper; keeper.LONGEST_PAUSE = 0.02; raise SystemExit(keeper.main({!r}))"
    arguments = [str(tmp_path), "/bin/false", str(os.geteuid()), str(os.getegid())]
    command = [sys.executable, "-c", hasty.format(arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=Path.cwd()) as it:
        assert it.stdin is not None
        it.stdin.write(b"ready\n")
        it.stdin.flush()
        eventually(lambda: "died 20 times in a row (status 1); starting it again" in _said(tmp_path))
        assert it.poll() is None
        it.stdin.close()
        assert it.wait(10) == 0


def _said(data_dir: Path) -> str:
    log = data_dir / keeper.LOG
    return log.read_text() if log.exists() else ""
