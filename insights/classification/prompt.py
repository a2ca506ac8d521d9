"""Turns a timeline into what a model is asked: the static part first, then the visit as compact rows. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec

from adapters.llm.port import Prompt
from insights.classification.evidence import kind_of
from insights.privacy.redact import redact_path, redact_props
from insights.timeline.timeline import Timeline, TimelineEvent

VERSION: Final = "v2"
MOST_EVENTS: Final = 200
IN_PASSING: Final = frozenset({"scrolled", "engaged", "clicked", "form_field", "text_selected", "action_shown"})
"""Left out first where a visit is longer than what is sent."""

_PLAIN = re.compile(r"[A-Za-z0-9_#.\-]{1,24}")


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt, and which event each short id in it stands for."""

    prompt: Prompt
    events: dict[str, UUID]


def ask_about(timeline: Timeline) -> Question:
    """The question about one session. A long one is shortened and says how many events are left out.

    Text of pages and visitors stands in JSON quotes on the one line of its event: it can end neither the quotes nor
    the line, and reading the quotes gives it back unchanged.
    """
    numbered = list(enumerate(timeline.events, start=1))
    sent = _shortened(numbered)
    pages: dict[str, str] = {}
    rows: list[str] = []
    start = timeline.events[0].at if timeline.events else None
    for number, event in sent:
        page = pages.setdefault(redact_path(event.path), f"p{len(pages) + 1}")
        seconds = (event.at - start).total_seconds() if start else 0.0
        rows.append(f"e{number},{seconds:.0f},{page},{_known(event.type)},{_details(event)}")
    lines = [
        f"kind: {kind_of(timeline)}",
        f"earlier visits: {timeline.prior.sessions}, earlier orders: {timeline.prior.purchases}",
        *(f"{alias}: {_quoted(path)}" for path, alias in pages.items()),
    ]
    if len(sent) < len(numbered):
        lines.append(f"{len(numbered) - len(sent)} of {len(numbered)} events are left out")
    lines += ["id,seconds,page,event,details", *rows]
    return Question(Prompt(_instructions(), "\n".join(lines)), {f"e{number}": event.id for number, event in sent})


def _shortened(numbered: Sequence[tuple[int, TimelineEvent]]) -> list[tuple[int, TimelineEvent]]:
    """All events, or what tells most: first without those made in passing, then the beginning and the end."""
    if len(numbered) <= MOST_EVENTS:
        return list(numbered)
    telling = [item for item in numbered if item[1].type not in IN_PASSING]
    if len(telling) <= MOST_EVENTS:
        return telling or list(numbered[: MOST_EVENTS // 2]) + list(numbered[-MOST_EVENTS // 2 :])
    return [*telling[: MOST_EVENTS // 2], *telling[-MOST_EVENTS // 2 :]]


def _details(event: TimelineEvent) -> str:
    return " ".join(f"{name}={_value(value)}" for name, value in redact_props(event.type, event.props).items())


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else _quoted(value)
    return msgspec.json.encode(value).decode()


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _known(type: str) -> str:
    # Stored types come from the catalogue; this holds even for a row that something else wrote.
    return type if _PLAIN.fullmatch(type) else "custom"


@cache
def _instructions() -> str:
    return (Path(__file__).parent / "prompts" / f"{VERSION}.md").read_text(encoding="utf-8").strip()
