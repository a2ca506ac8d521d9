"""What goes wrong over and over is told now and then, with how often."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import structlog

from insights.logs import AGAIN_AFTER, Repeats


def told(repeats: Repeats, **event: Any) -> dict[str, Any] | None:
    try:
        return dict(repeats(None, "warning", dict(event)))
    except structlog.DropEvent:
        return None


def test_the_same_error_is_told_once_in_a_while_and_then_how_often_it_came() -> None:
    now = 0.0
    repeats = Repeats(lambda: now)
    away = {"event": "database_unreachable", "level": "warning", "error": "OperationalError"}
    assert told(repeats, **away) == away
    assert [told(repeats, **away) for _ in range(1_000)] == [None] * 1_000
    # Another error, another line of the same error, and what is no error are told.
    assert told(repeats, **{**away, "error": "ServerAway"}) is not None
    assert told(repeats, **{**away, "event": "closing_paused"}) is not None
    for _ in range(3):
        assert told(repeats, event="session_closed", level="info") is not None
    now += AGAIN_AFTER
    assert told(repeats, **away) == {**away, "repeated": 1_000}
    now += AGAIN_AFTER
    assert told(repeats, **away) == away


def test_however_many_errors_there_are_few_are_remembered() -> None:
    repeats = Repeats()
    for number in range(5_000):
        assert told(repeats, event="refused", error=f"e{number}") is not None
    assert len(vars(repeats)["_told"]) <= 1_000


def test_a_process_writes_no_line_for_each() -> None:
    lines = 500
    code = f"""
import structlog
from insights import logs
from insights.settings import Settings
logs.configure(Settings(log_json=True))
for number in range({lines}):
    structlog.get_logger().warning("database_unreachable", error="OperationalError")
    structlog.get_logger().info("session_closed", session=number)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    events = [json.loads(line)["event"] for line in ran.stderr.splitlines()]
    assert events.count("session_closed") == lines
    # As many as the ten seconds that it may take, and by no means one each.
    assert 1 <= events.count("database_unreachable") < lines / 10
