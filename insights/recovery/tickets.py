"""What an engineer reads in a ticket: the failing thing, how often, since when, and the session to look at.

Pure. One ticket per error and day: the key says which ones are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from insights.recovery.plain import one_line, whole

PRIORITIES: Final = ("low", "normal", "high")


def dedupe_key(error: Mapping[str, object], now: datetime) -> str:
    """The same for every session that meets this error on one day (UTC)."""
    return f"{error['fingerprint']}:{now.astimezone(UTC):%Y-%m-%d}"


def ticket(trigger: Mapping[str, Any], *, public_url: str, priority: str = "normal") -> dict[str, Any]:
    """The ticket for a trigger whose facts hold an error, as JSON that a tracker or a person can read."""
    error: Mapping[str, Any] = trigger["error"]
    insight: Mapping[str, Any] = trigger.get("insight") or {}
    session: Mapping[str, Any] = trigger.get("session") or {}
    session_id = insight.get("session_id")
    return {
        "title": title(error),
        "priority": priority if priority in PRIORITIES else "normal",
        "fingerprint": error["fingerprint"],
        "what": one_line(insight.get("narrative"), 1000),
        "request": _request(error),
        "script": _script(error),
        "count": whole(error.get("count")) or 1,
        "page": one_line(session.get("exit_path"), 500) or None,
        "seen_at": session.get("ended_at"),
        "session_url": f"{public_url}/app/sessions/{session_id}" if session_id else None,
        "event_ids": list(error.get("event_ids") or ()),
    }


def title(error: Mapping[str, object]) -> str:
    """One line that names the error: ``POST /api/cart answers 500``."""
    if error.get("kind") == "request":
        status = error.get("status")
        happens = f"answers {status}" if status else "gets no answer"
        return one_line(f"{error.get('method')} {error.get('path')} {happens}", 240)
    message = one_line(error.get("message"), 160) or "A script error without a message"
    where = f" in {error['source']}" if error.get("source") else ""
    return one_line(message + where, 240)


def _request(error: Mapping[str, object]) -> dict[str, Any] | None:
    if error.get("kind") != "request":
        return None
    return {"method": error.get("method"), "path": error.get("path"), "status": error.get("status")}


def _script(error: Mapping[str, object]) -> dict[str, Any] | None:
    if error.get("kind") != "script":
        return None
    return {
        "message": error.get("message"),
        "source": error.get("source"),
        "line": error.get("line"),
        "stack": error.get("stack"),
    }
