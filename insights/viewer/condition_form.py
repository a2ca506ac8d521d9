"""The form of a condition, wherever people write one: what may be asked there, and what of it is sent to the API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from flows.conditions import Field, Type
from insights.conditions.fields import FIELDS
from insights.conditions.places import Place
from insights.vocabulary.events import PROPS

_GROUPS: Final = {
    "visitor": "Who they are",
    "session": "This visit, or their latest",
    "page": "The page they are on",
    "cart": "Their cart",
    "intent": "What they seem to want, each from 0 to 1",
    "insight": "Why their latest visit ended as it did",
    "error": "The error that hit them",
    "delivery": "What became of a step that sent something, in brackets and quotes behind the name",
    "consent": "What they agreed to",
}
_EXAMPLES: Final = {
    Place.LIVE: (
        "session.leaving = true and cart.value >= 50.00 EUR",
        'page.path starts with "/product/" and session.hesitations > 1',
    ),
    Place.FLOW: (
        "cart.value >= 50.00 EUR",
        'visitor.purchases > 0 and not visitor.segments has "vip"',
        "consent.email = true and visitor.local_time < 20:00",
    ),
    Place.SEGMENT: (
        "visitor.purchases >= 3",
        "cart.value >= 50.00 EUR and visitor.last_seen_at within 7d",
        'insight.reason = "price_hesitation" or visitor.tags has "vip"',
        "events.purchased.count(30d) > 1",
    ),
}
_TAKES: Final = {
    Type.BOOLEAN: "true or false",
    Type.INTEGER: "a whole number",
    Type.NUMBER: "a number",
    Type.MONEY: "an amount: 50.00 EUR",
    Type.TEXT: 'a text: "shoes"',
    Type.SET: 'has "vip"',
    Type.TIME: "within 7d, older than 30d, or < and > a date: 2026-11-21",
    Type.DURATION: "a duration: 30m, 2h, 7d",
    Type.CLOCK: "a time of day: 09:30",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A field: how it is written, what it is, and what it is compared with."""

    name: str
    says: str
    takes: str


@dataclass(frozen=True, slots=True)
class Help:
    """What a condition may ask in one place. ``groups``: headline → fields. ``events``: the types of events that may
    be counted and looked at; none where the database is not asked."""

    examples: Sequence[str]
    groups: Sequence[tuple[str, Sequence[Asked]]]
    events: Sequence[str]


@cache
def help_in(place: Place) -> Help:
    """What is known there."""
    groups: dict[str, list[Asked]] = {prefix: [] for prefix in _GROUPS}
    events = False
    for field in FIELDS:
        if field.places and place.value not in field.places:
            continue
        if "events." in field.name:
            events = True
        else:
            groups[field.name.split(".")[0]].append(_asked(field))
    told = [(_GROUPS[prefix], tuple(fields)) for prefix, fields in groups.items() if fields]
    return Help(_EXAMPLES[place], tuple(told), tuple(sorted(PROPS)) if events else ())


def _asked(field: Field) -> Asked:
    name = f'{field.name}("{field.params[0].name}")' if field.params else field.name
    return Asked(name, field.says, ", ".join(map(str, field.choices)) or _TAKES.get(field.type, ""))


def written(text: str) -> Any:
    """A condition as it was typed: its text, its JSON form, or None where nothing stands."""
    text = text.strip()
    if text.startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text or None
