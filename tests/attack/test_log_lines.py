"""Log lines tell what happened once, whatever stands in it: no line of somebody else's making, no terminal's orders."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from insights import logs
from insights.settings import Settings

FORGED = "/app/x\r\n2026-11-21T00:00:00Z [info] viewer_login by=operator\x1b[2J\x9b31m\u202e\x00\u2028"


@pytest.mark.parametrize("as_json", [False, True])
def test_a_text_from_outside_makes_no_line_of_its_own(as_json: bool, capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings(log_json=as_json))
    structlog.get_logger().warning("viewer_without_database", path=FORGED, count=3)
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert len(said.splitlines()) == 1
    plain = said.replace("\x1b[", "")  # our own colours
    assert "viewer_login by=operator" in plain
    assert not {"\r", "\x1b", "\x9b", "\x00"} & set(plain)
    if as_json:
        assert json.loads(said)["path"] == FORGED
    else:
        assert "\\r\\n2026" in said
        assert "\u202e" not in said


@pytest.mark.parametrize("as_json", [False, True])
def test_an_error_with_such_a_text_does_not_reach_the_terminal(
    as_json: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.configure(Settings(log_json=as_json))
    try:
        raise ValueError(FORGED)
    except ValueError:
        structlog.get_logger().exception("flush_failed")
    said = capfd.readouterr().err.replace("\x1b[", "")
    assert "ValueError" in said
    assert not {"\r", "\x1b", "\x9b", "\x00"} & set(said)


def test_neither_do_lines_of_libraries(capfd: pytest.CaptureFixture[str]) -> None:
    logging.root.handlers[:] = []
    logs.configure(Settings())
    logging.getLogger("somebody").warning("asked for %s", FORGED)
    said = capfd.readouterr().err
    assert "asked for /app/x" in said
    assert not {"\r", "\x1b", "\x9b", "\x00"} & set(said)
