"""What the facts of a trigger, stored with a run, answer: the visit that started it, as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from flows.conditions import Asked, Known, Money

_ERROR: Final = ("fingerprint", "kind", "status", "path", "message", "count")
OF_A_TRIGGER: Final = frozenset(
    {
        "cart.items",
        "cart.value",
        "insight.kind",
        "insight.reason",
        "insight.confidence",
        "insight.visit_ended_at",
        *(f"error.{name}" for name in _ERROR),
    }
)
"""Fields that a trigger answers alone: what it does not know of them is unknown, whatever came later."""


def known_of_trigger(facts: Mapping[str, object]) -> dict[Asked, Known]:
    """The fields that a trigger's facts hold. Money is in minor units there, times are ISO 8601."""
    return {(name, ()): value for name, value in _values(facts) if value is not None}


def answered_by_trigger(facts: Mapping[str, object], name: str) -> bool:
    """Whether a field speaks of the visit that started the run, when these are its facts."""
    group = name.partition(".")[0]
    return name in OF_A_TRIGGER and group in facts


def _values(facts: Mapping[str, object]) -> Iterator[tuple[str, Any]]:
    insight, cart, error = _part(facts, "insight"), _part(facts, "cart"), _part(facts, "error")
    for name in ("kind", "reason"):
        yield f"insight.{name}", insight.get(name)
    confidence = insight.get("confidence")
    yield "insight.confidence", float(confidence) if isinstance(confidence, int | float) else None
    yield "insight.visit_ended_at", _time(_part(facts, "session").get("ended_at"))
    yield "cart.items", cart.get("count")
    minor, currency = cart.get("value_minor"), cart.get("currency")
    yield "cart.value", Money(minor, currency) if type(minor) is int and isinstance(currency, str) else None
    for name in _ERROR:
        yield f"error.{name}", error.get(name)


def _part(facts: Mapping[str, object], name: str) -> Mapping[str, Any]:
    part = facts.get(name)
    return part if isinstance(part, Mapping) else {}


def _time(written: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(written)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo is not None else None
