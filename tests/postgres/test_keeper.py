"""The keeper's log."""

from __future__ import annotations

from pathlib import Path

from adapters.postgres import keeper


def test_the_log_is_bounded(tmp_path: Path) -> None:
    log = keeper._Log(str(tmp_path / "server.log"))
    for _ in range(300):
        log.write(b"x" * 100_000)
    log.say("done")
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["server.log", "server.log.1", "server.log.2", "server.log.3"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 5 * keeper.LOG_BYTES
    assert (tmp_path / "server.log").read_bytes().endswith(b"keeper: done\n")
