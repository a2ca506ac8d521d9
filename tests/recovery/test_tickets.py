"""What an engineer reads, and when two sessions share a ticket."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from insights.recovery.tickets import dedupe_key, ticket, title
from insights.recovery.trigger import insight_trigger
from tests.recovery.sessions import INSIGHT, SESSION, session

FAILED = ("request_failed", {"method": "POST", "path": "/api/cart/8841?t=1", "status": 500})
SCRIPT = (
    "js_error",
    {"message": "x is undefined", "source": "/app.js", "line": 7, "stack": "TypeError\n at f (/app.js:7:1)"},
)


def facts(*events: tuple[str, dict[str, Any]]) -> Any:
    return insight_trigger(
        session(*events),
        insight_id=INSIGHT,
        kind="abandoned",
        reason="technical_error",
        confidence=0.9,
        narrative="Three cart calls failed.",
    ).facts


def test_a_ticket_names_the_request_the_count_and_the_session() -> None:
    told = ticket(facts(FAILED, FAILED, FAILED), public_url="https://whyleft.example", priority="high")
    assert told["title"] == "POST /api/cart/:id answers 500"
    assert told["request"] == {"method": "POST", "path": "/api/cart/:id", "status": 500}
    assert told["script"] is None
    assert (told["count"], told["priority"], told["page"]) == (3, "high", "/cart")
    assert told["session_url"] == f"https://whyleft.example/app/sessions/{SESSION}"
    assert told["what"] == "Three cart calls failed."
    assert len(told["event_ids"]) == 3
    json.dumps(told)


def test_a_script_error_comes_with_its_stack() -> None:
    told = ticket(facts(SCRIPT), public_url="https://whyleft.example")
    assert told["title"] == "x is undefined in /app.js"
    assert told["script"] == {
        "message": "x is undefined",
        "source": "/app.js",
        "line": 7,
        "stack": ["TypeError", "at f (/app.js:7:1)"],
    }
    assert told["request"] is None


def test_a_request_without_an_answer_says_so() -> None:
    assert title({"kind": "request", "method": "POST", "path": "/api/cart", "status": 0}) == (
        "POST /api/cart gets no answer"
    )


@pytest.mark.parametrize("priority", ["urgent", "", "x" * 1000])
def test_an_unknown_priority_is_the_normal_one(priority: str) -> None:
    assert ticket(facts(FAILED), public_url="", priority=priority)["priority"] == "normal"


def test_one_day_is_one_ticket_and_days_are_counted_in_utc() -> None:
    error = facts(FAILED)["error"]
    late = datetime(2026, 3, 28, 23, 59, tzinfo=UTC)
    elsewhere = late.astimezone(timezone(timedelta(hours=9)))
    assert dedupe_key(error, late) == dedupe_key(error, elsewhere) == f"{error['fingerprint']}:2026-03-28"
    assert dedupe_key(error, late + timedelta(minutes=1)) != dedupe_key(error, late)
