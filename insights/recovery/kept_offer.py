"""Decides what a step's offer for the next visit is, and whether a live action may be like that. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import msgspec

from flows.errors import Fault
from insights.decisions.content import ShopFacts
from insights.decisions.entries import Entry, faults_of
from insights.recovery.plain import one_line
from insights.vocabulary.stages import Stage

PRIORITY: Final = 60
SAMPLE_CODE: Final[Mapping[str, str]] = {"code": "SAMPLE-CODE", "percent": "10"}
"""Stands for the code of a step that gives a discount, while nothing is issued yet."""
_FIELDS: Final = ("action", "template", "content", "stages", "when", "priority", "group")
_ANY_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""A kept offer has no dates of its own that could lie in the past."""


def offer_in(params: Mapping[str, object], step_id: str, code: Mapping[str, str]) -> Entry:
    """The offer as a catalogue entry; ``code``: {code, percent} of the discount that it gives. Raises
    msgspec.ValidationError."""
    given = {name: params[name] for name in _FIELDS if params.get(name) is not None}
    written = {
        "name": one_line(step_id, 60) or "kept",
        "template": "popup",
        "stages": [stage.value for stage in Stage if stage is not Stage.CUSTOMER],
        "priority": PRIORITY,
        **given,
    }
    return _with_code(msgspec.convert(written, Entry), code)


def faults_of_offer(entry: Entry, *, gives_code: bool) -> list[Fault]:
    """Everything that keeps it from being shown, each by its pointer into the parameters."""
    return [
        _for_a_step(fault)
        for fault in faults_of(entry, ShopFacts(), _ANY_TIME)
        # The code is issued by our own ledger, the step says for how much.
        if not (gives_code and fault.pointer == "/incentive")
    ]


def _for_a_step(fault: Fault) -> Fault:
    if fault.pointer == "/incentive" or fault.fix == "give incentive.percent":
        return replace(fault, pointer="/discount_percent", fix="add discount_percent")
    return fault


def _with_code(entry: Entry, code: Mapping[str, str]) -> Entry:
    if not code:
        return entry
    content: dict[str, dict[str, str]] = {
        locale: {name: _filled(text, code) for name, text in words.items()} for locale, words in entry.content.items()
    }
    return replace(entry, content=content)


def _filled(text: str, code: Mapping[str, str]) -> str:
    for name, value in code.items():
        text = text.replace(f"{{{name}}}", value)
    return text
