"""Which error of a session deserves the ticket, and what an engineer needs to know of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from insights.recovery.fingerprint import (
    message_shape,
    method_of,
    path_shape,
    request_fingerprint,
    script_fingerprint,
    source_shape,
    stack_shape,
)
from insights.recovery.plain import whole
from insights.timeline.timeline import TimelineEvent

MOST_CITED: Final = 20


@dataclass(slots=True)
class _Fault:
    """One error of the session, as often as it came."""

    facts: dict[str, Any]
    gravity: int
    last: int = 0
    event_ids: list[str] = field(default_factory=list)
    count: int = 0


def worst_error(events: tuple[TimelineEvent, ...]) -> dict[str, Any] | None:
    """The error of the session that deserves the ticket, or None.

    Broken requests (no answer, 5xx) come before script errors, refused requests (4xx) last: pages live with many of
    those. Among equals the more frequent one, then the later one. Keys: fingerprint, kind (request or script), method,
    path, status, message, source, line and stack (of its first time), count, event_ids (the first 20); what does not
    apply is None.
    """
    faults: dict[str, _Fault] = {}
    for position, event in enumerate(events):
        fault = _fault(event)
        if fault is None:
            continue
        known = faults.setdefault(fault.facts["fingerprint"], fault)
        known.count += 1
        known.last = position
        if len(known.event_ids) < MOST_CITED:
            known.event_ids.append(str(event.id))
    if not faults:
        return None
    worst = max(faults.values(), key=lambda fault: (fault.gravity, fault.count, fault.last))
    return {**worst.facts, "count": worst.count, "event_ids": worst.event_ids}


def _fault(event: TimelineEvent) -> _Fault | None:
    props = event.props
    if event.type == "request_failed":
        status = whole(props.get("status")) or 0
        facts = {
            "fingerprint": request_fingerprint(props.get("method"), props.get("path"), status),
            "kind": "request",
            "method": method_of(props.get("method")),
            "path": path_shape(props.get("path")),
            "status": status,
            "message": None,
            "source": None,
            "line": None,
            "stack": None,
        }
        return _Fault(facts, gravity=3 if status == 0 or status >= 500 else 1)
    if event.type == "js_error":
        facts = {
            "fingerprint": script_fingerprint(props.get("message"), props.get("source")),
            "kind": "script",
            "method": None,
            "path": None,
            "status": None,
            "message": message_shape(props.get("message")),
            "source": source_shape(props.get("source")) or None,
            "line": whole(props.get("line")),
            "stack": stack_shape(props.get("stack")),
        }
        return _Fault(facts, gravity=2)
    return None
