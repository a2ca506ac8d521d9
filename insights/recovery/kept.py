"""What a visitor wrote into the form fields whose values the shop asked to keep, and agreed to. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from insights.recovery.plain import one_line, unlinked
from insights.timeline.timeline import TimelineEvent

MOST_FIELDS: Final = 30
_NOT_A_WORD: Final = re.compile(r"[^a-z0-9]+")


class Kept(dict[str, str]):
    """Field → what was written; "" for any other field, so that a message may ask for what was never filled in."""

    def __missing__(self, name: str) -> str:
        return ""


def kept_fields(events: Iterable[TimelineEvent]) -> dict[str, str]:
    """Field → what was written there last. ``First name`` is ``first_name``: what a message can ask for.

    Only fields that the page marks with data-whyleft-keep have a value at all, and only of visitors who agreed.
    """
    found: dict[str, str] = {}
    for event in events:
        if event.type != "form_field":
            continue
        name = _NOT_A_WORD.sub("_", one_line(event.props.get("field"), 60).lower()).strip("_")
        value = event.props.get("value")
        if not name or not isinstance(value, str):
            continue
        if name in found or len(found) < MOST_FIELDS:
            found[name] = unlinked(value, 200)
    return {name: value for name, value in found.items() if value}
