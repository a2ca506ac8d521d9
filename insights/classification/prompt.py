"""Turns a timeline into what a model is asked: the static part first, then the visit as compact CSV. Pure."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import UUID

import msgspec

from adapters.llm.port import Prompt
from insights.classification.evidence import kind_of
from insights.privacy.redact import redact_path, redact_props
from insights.timeline.timeline import Timeline

VERSION = "v1"
MOST_EVENTS = 400


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt, and which event each short id in it stands for."""

    prompt: Prompt
    events: dict[str, UUID]


def ask_about(timeline: Timeline) -> Question:
    """The question about one session. A long one keeps its first and last events and says how many are left out."""
    indexed = list(enumerate(timeline.events, start=1))
    left_out = 0
    if len(indexed) > MOST_EVENTS:
        half = MOST_EVENTS // 2
        left_out = len(indexed) - MOST_EVENTS
        indexed = [*indexed[:half], *indexed[-half:]]
    pages: dict[str, str] = {}
    events: dict[str, UUID] = {}
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["id", "seconds", "page", "event", "details"])
    start = timeline.events[0].at if timeline.events else None
    for number, event in indexed:
        short = f"e{number}"
        events[short] = event.id
        page = pages.setdefault(redact_path(event.path), f"p{len(pages) + 1}")
        details = redact_props(event.type, event.props)
        seconds = (event.at - start).total_seconds() if start else 0.0
        text = msgspec.json.encode(details).decode() if details else ""
        writer.writerow([short, f"{seconds:.0f}", page, event.type, text])
    lines = [
        f"kind: {kind_of(timeline)}",
        f"earlier visits: {timeline.prior.sessions}, earlier orders: {timeline.prior.purchases}",
        "pages: " + msgspec.json.encode({alias: path for path, alias in pages.items()}).decode(),
    ]
    if left_out:
        lines.append(f"{left_out} events in the middle are left out")
    lines += ["<timeline>", table.getvalue().rstrip("\n"), "</timeline>"]
    return Question(Prompt(_instructions(), "\n".join(lines)), events)


@cache
def _instructions() -> str:
    return (Path(__file__).parent / "prompts" / f"{VERSION}.md").read_text(encoding="utf-8")
