"""Logging: one line per thing done, for a person or as JSON."""

from __future__ import annotations

import atexit
import contextlib
import io
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Final, TextIO, cast

import structlog

from insights.settings import SettingInvalid, Settings

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(settings: Settings) -> None:
    """Sets up this process's log lines on standard error. Raises SettingInvalid."""
    level = _LEVELS.get(settings.log_level.lower())
    if level is None:
        raise SettingInvalid(f"WHYLEFT_LOG_LEVEL is {settings.log_level!r}: write debug, info, warning or error.")
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=_plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            Repeats(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if settings.log_json else _unchanged,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Enduring(sys.stderr))),
    )
    atexit.register(_leave_behind)
    # Libraries: only what they find alarming.
    says = logging.StreamHandler()
    says.setFormatter(_Printable("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[says])
    for name in ("apscheduler", "alembic", "httpx"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # a lost connection is said once, by whoever lost it


AGAIN_AFTER: Final = 10.0
"""Seconds for which an error that is told again in the same words is only counted."""
_MOST: Final = 1_000


class Repeats:
    """Leaves out what tells of the same error as a line shortly before, as each request does while a database is away.

    An hour of that would fill a disk. The next line that is told says how many were left out (``repeated``).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[str, tuple[float, int]] = {}

    def __call__(
        self, logger: structlog.typing.WrappedLogger, name: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        if "error" not in event or "exc_info" in event:
            return event
        line = repr(sorted((key, str(value)) for key, value in event.items()))
        at, left_out = self._told.get(line, (None, 0))
        if at is not None and self._clock() < at + AGAIN_AFTER:
            self._told[line] = (at, left_out + 1)
            raise structlog.DropEvent
        if len(self._told) >= _MOST:
            self._told.clear()
        self._told[line] = (self._clock(), 0)
        if left_out:
            event["repeated"] = left_out
        return event


def printable(text: str) -> str:
    """Lines of ``text`` without what a terminal obeys. What is quoted in an error may come from anybody."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else character.encode("unicode_escape").decode()
        for character in text
    )


def _unchanged(
    logger: structlog.typing.WrappedLogger, name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return event


def _plain_traceback(to: TextIO, trouble: structlog.typing.ExcInfo) -> None:
    lines = io.StringIO()
    structlog.dev.plain_traceback(lines, trouble)
    to.write(printable(lines.getvalue()))


class _Enduring:
    """A stream whose lines may get lost: a log on a full disk, or at the end of a pipe that nobody reads any more, must
    not end what it tells of."""

    def __init__(self, to: TextIO) -> None:
        self._to = to

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._to.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._to.flush()


def _leave_behind() -> None:
    """Gives up lines that still wait to be written and cannot: Python calls an end with some of them failed (120)."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


class _Printable(logging.Formatter):
    """What libraries say, without what a terminal obeys."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))
