"""Whether a trigger is one that a flow asks for. Pure; what must be looked up of the visitor comes as a condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from flows.conditions import All, Check, Condition, Op
from flows.definition import (
    ApiTrigger,
    CartRange,
    EventTrigger,
    InsightTrigger,
    PatternTrigger,
    Scalar,
    ScheduleTrigger,
    SegmentTrigger,
    Trigger,
)
from flows.lookup import lookup
from flows.ports import Trigger as Happened


def matches(rule: Trigger, trigger: Happened) -> bool:
    """Whether a rule asks for this trigger, its condition and segments aside (``condition_of``)."""
    facts = trigger.facts.get(rule.on)
    if rule.on != trigger.kind or not isinstance(facts, Mapping):
        return False
    match rule:
        case InsightTrigger():
            confidence = facts.get("confidence")
            sure = confidence if isinstance(confidence, int | float) else 0.0
            return (
                (rule.kind is None or facts.get("kind") == rule.kind)
                and (not rule.reasons or facts.get("reason") in rule.reasons)
                and sure >= rule.min_confidence
                and on_page(rule.pages, lookup(trigger.facts, "session.exit_path"))
                and (rule.cart is None or _in_range(rule.cart, trigger.facts.get("cart")))
            )
        case EventTrigger():
            return is_event(rule.event, rule.name, rule.props, facts) and on_page(rule.pages, _path(facts.get("url")))
        case SegmentTrigger():
            return facts.get("name") == rule.segment and facts.get("change") == rule.change
        case PatternTrigger():
            sessions = facts.get("sessions")
            return (
                (not rule.reasons or facts.get("reason") in rule.reasons)
                and on_page(rule.pages, facts.get("page"))
                and (rule.direction is None or facts.get("direction") == rule.direction)
                and (sessions if isinstance(sessions, int) else 0) >= rule.min_sessions
                # Nobody's run is one for the shop, and the other way round.
                and (rule.each == "shop") == (trigger.visitor_id.int == 0)
            )
        case ScheduleTrigger() | ApiTrigger():
            return True


def condition_of(rule: Trigger) -> Condition | None:
    """What must be true of the visitor for a rule to ask for a trigger that matches it; None for nothing."""
    asked: list[Condition] = [] if rule.when is None else [rule.when]
    if isinstance(rule, InsightTrigger) and rule.segments:
        asked.append(Check("visitor.segments", Op.HAS_ANY, tuple(rule.segments)))
    return All(tuple(asked)) if len(asked) > 1 else next(iter(asked), None)


def is_event(kind: str, name: str | None, props: Mapping[str, Scalar], facts: Mapping[str, object]) -> bool:
    """Whether an event, told as {"type", "props"}, is of a type, of a name of your own, and has these props."""
    had = facts.get("props")
    held: Mapping[str, Any] = had if isinstance(had, Mapping) else {}
    if facts.get("type") != kind or (name is not None and held.get("name") != name):
        return False
    own = held.get("props")
    inner: Mapping[str, Any] = own if isinstance(own, Mapping) else {}
    # True is 1 to Python, and not to whoever wrote it. Your own events keep their props one level deeper.
    return all(
        any(value == wanted and type(value) is type(wanted) for value in (held.get(key), inner.get(key)))
        for key, wanted in props.items()
    )


def on_page(patterns: Sequence[str], path: object) -> bool:
    """Whether a path fits one of the patterns; any path does where there is none. ``*`` stands for anything."""
    return not patterns or (isinstance(path, str) and any(_fits(pattern, path) for pattern in patterns))


def _path(url: object) -> str | None:
    try:
        return urlsplit(url).path or "/" if isinstance(url, str) else None
    except ValueError:
        return None


def _fits(pattern: str, path: str) -> bool:
    return fnmatchcase(path, pattern.replace("[", "[[]").replace("?", "[?]"))


def _in_range(wanted: CartRange, cart: object) -> bool:
    held: Mapping[str, Any] = cart if isinstance(cart, Mapping) else {}
    minor = held.get("value_minor")
    if type(minor) is not int or held.get("currency") != wanted.currency:
        return False
    return (wanted.min_minor or 0) <= minor and (wanted.max_minor is None or minor <= wanted.max_minor)
