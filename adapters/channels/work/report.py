"""What an engineer reads of an error: one text for every tracker, in the writing that each of them has.

Content of a new ticket: title, what, request, script, count, sessions, page, seen_at, session_url, priority,
fingerprint. Content that changes one: {"do": "close" | "update", "ticket": the tracker's id, "comment": words}.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.channels.contract import SendIntent
from adapters.channels.http_channel import ContentInvalid, text_of

MOST_TITLE: Final = 240
MOST_BODY: Final = 20_000
MOST_COMMENT: Final = 4_000
LABEL: Final = "whyleft"


@dataclass(frozen=True, slots=True)
class Report:
    """``facts``: name → value, in order. ``stack``: lines of a script's stack. ``link``: the session in the viewer."""

    title: str
    what: str
    facts: Mapping[str, str]
    stack: str
    link: str
    priority: str
    marker: str


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a ticket: closed or told of, with a comment."""

    closes: bool
    ticket: str
    comment: str


def marker_of(key: str) -> str:
    """What a ticket is found by again: the same key gives the same word, of letters that every tracker keeps."""
    return f"{LABEL}-{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


def change_of(intent: SendIntent) -> Change | None:
    """The change that an intent asks for; None for a new ticket. Raises ContentInvalid."""
    wanted = intent.content.get("do")
    if wanted is None:
        return None
    if wanted not in ("close", "update"):
        raise ContentInvalid("do must be close or update.")
    ticket = text_of(intent.content, "ticket", 200)
    return Change(wanted == "close", ticket, text_of(intent.content, "comment", MOST_COMMENT))


def report_of(intent: SendIntent) -> Report:
    """The report of an intent. Raises ContentInvalid."""
    content = intent.content
    request, script = _mapping(content, "request"), _mapping(content, "script")
    status = request.get("status")
    facts = {
        "Request": f"{request.get('method')} {request.get('path')}, {status or 'no answer'}" if request else "",
        "Script": f"{script.get('message')} in {script.get('source') or 'the page'}:{script.get('line') or '?'}"
        if script
        else "",
        "Page": content.get("page"),
        "Sessions that met it": content.get("sessions"),
        "Times in this session": content.get("count"),
        "Seen at": content.get("seen_at"),
        "Fingerprint": content.get("fingerprint"),
    }
    return Report(
        title=text_of(content, "title", MOST_TITLE),
        what=text_of(content, "what", MOST_BODY, required=False),
        facts={name: _line(value) for name, value in facts.items() if value not in (None, "")},
        stack=_line(script.get("stack"), 4_000, lines=True) if script.get("stack") else "",
        link=text_of(content, "session_url", 2_000, required=False),
        priority=text_of(content, "priority", 20, required=False) or "normal",
        marker=marker_of(intent.key),
    )


def markdown(report: Report) -> str:
    """The report in Markdown, the marker in a comment that is not shown."""
    parts = [_escaped(report.what)] if report.what else []
    parts.append("\n".join(f"- **{name}:** {_code(value)}" for name, value in report.facts.items()))
    if report.stack:
        parts.append("```\n" + report.stack.replace("```", "'''") + "\n```")
    if report.link:
        parts.append(f"[Look at the session]({report.link})")
    parts.append(f"<!-- {report.marker} -->")
    return "\n\n".join(part for part in parts if part)[:MOST_BODY]


def plain(report: Report) -> str:
    """The report as plain text."""
    lines = [report.what, *(f"{name}: {value}" for name, value in report.facts.items()), report.stack, report.link]
    return "\n".join(line for line in lines if line)[:MOST_BODY]


def _mapping(content: Mapping[str, object], name: str) -> Mapping[str, Any]:
    found = content.get(name)
    return found if isinstance(found, Mapping) else {}


def _line(value: object, most: int = 500, *, lines: bool = False) -> str:
    text = str(value).encode("utf-8", "replace").decode()
    return text[:most] if lines else " ".join(text.split())[:most]


def _code(text: str) -> str:
    # Whatever a stranger's page put into a path or a message: nothing in it is markup, a mention or a link.
    return f"`{text.replace('`', chr(39))}`"


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()<>#+!|@" else letter for letter in text)
