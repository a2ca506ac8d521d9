"""The meaning of conditions again, written as plainly as possible: what the evaluator is held against."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flows.conditions import All, AnyOf, Asked, Check, Condition, Money, Not, Op, Truth


def truth_of(condition: Condition, values: Mapping[Asked, Any], now: datetime) -> Truth:
    if isinstance(condition, All):
        found = [truth_of(part, values, now) for part in condition.parts]
        return False if False in found else None if None in found else True
    if isinstance(condition, AnyOf):
        found = [truth_of(part, values, now) for part in condition.parts]
        return True if True in found else None if None in found else False
    if isinstance(condition, Not):
        inner = truth_of(condition.part, values, now)
        return None if inner is None else not inner
    return _check(condition, values.get((condition.field, condition.args)), now)


def _check(check: Check, found: Any, now: datetime) -> Truth:
    op, wanted = check.op, check.value
    if op == "known":
        return found is not None
    if op == "unknown":
        return found is None
    if found is None:
        return None
    if op == "within":
        return bool(now - found <= wanted)
    if op == "older_than":
        return bool(now - found > wanted)
    if isinstance(wanted, Money):
        if wanted.currency != found.currency:
            return None
        found, wanted = found.minor, wanted.minor
    found, wanted = _lower(found), _lower(wanted)
    table = {
        Op.EQ: lambda: found == wanted,
        Op.NE: lambda: found != wanted,
        Op.LT: lambda: found < wanted,
        Op.LE: lambda: found <= wanted,
        Op.GT: lambda: found > wanted,
        Op.GE: lambda: found >= wanted,
        Op.IN: lambda: found in wanted,
        Op.NOT_IN: lambda: found not in wanted,
        Op.CONTAINS: lambda: wanted in found,
        Op.STARTS_WITH: lambda: found.startswith(wanted),
        Op.ENDS_WITH: lambda: found.endswith(wanted),
        Op.HAS: lambda: wanted in found,
        Op.HAS_ANY: lambda: bool(set(wanted) & set(found)),
        Op.HAS_ALL: lambda: set(wanted) <= set(found),
    }
    return bool(table[op]())


def _lower(value: Any) -> Any:
    if isinstance(value, str):
        return value.casefold()
    if isinstance(value, tuple):
        return tuple(_lower(one) for one in value)
    if isinstance(value, frozenset):
        return {_lower(one) for one in value}
    return value
