"""Conditions over facts: a small typed language that is total (a missing fact is false, never an error)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Scalar = bool | int | float | str


class _Node(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Compare(_Node):
    """``fact`` is a dotted path; ``in`` compares against a list, ``exists`` against nothing."""

    fact: str = Field(min_length=1, max_length=200)
    op: Literal["eq", "ne", "lt", "le", "gt", "ge", "in", "exists"]
    value: Scalar | list[Scalar] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Compare:
        if self.op == "exists":
            fits, wanted = self.value is None, "no value"
        elif self.op == "in":
            fits, wanted = isinstance(self.value, list), "a list"
        elif self.op in ("eq", "ne"):
            fits, wanted = isinstance(self.value, bool | int | float | str), "one value"
        else:
            fits, wanted = isinstance(self.value, int | float | str) and not isinstance(self.value, bool), "one value"
        if not fits:
            raise ValueError(f"{self.op} compares with {wanted}")
        return self


class All(_Node):
    """True when each of its conditions is."""

    all: list[Condition] = Field(min_length=1)


class AnyOf(_Node):
    """True when one of its conditions is."""

    any: list[Condition] = Field(min_length=1)


class Not(_Node):
    """True when its condition is not."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    not_: Condition = Field(alias="not")


Condition = Annotated[Compare | All | AnyOf | Not, Field(union_mode="smart")]

for _model in (All, AnyOf, Not):
    _model.model_rebuild()


def lookup(facts: Mapping[str, Any], path: str) -> Any:
    """The fact at a dotted path, or None."""
    value: Any = facts
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def holds(condition: Condition, facts: Mapping[str, Any]) -> bool:
    """Whether a condition is true of ``facts``."""
    return explain(condition, facts) is None


def explain(condition: Condition, facts: Mapping[str, Any]) -> str | None:
    """None when the condition holds; otherwise the part of it that was false, in words."""
    match condition:
        case All():
            return next((why for part in condition.all if (why := explain(part, facts)) is not None), None)
        case AnyOf():
            reasons = [explain(part, facts) for part in condition.any]
            return None if None in reasons else " and ".join(reason for reason in reasons if reason)
        case Not():
            return None if explain(condition.not_, facts) is not None else "the negated condition holds"
        case Compare():
            found = lookup(facts, condition.fact)
            return None if _compare(condition, found) else f"{condition.fact} is {found!r:.80}"


def _compare(condition: Compare, found: Any) -> bool:
    wanted = condition.value
    if condition.op == "exists":
        return found is not None
    if found is None:
        return False
    if condition.op == "in":
        return isinstance(wanted, list) and any(_same(found, one) for one in wanted)
    if condition.op == "eq":
        return _same(found, wanted)
    if condition.op == "ne":
        return not _same(found, wanted)
    if not _comparable(found, wanted):
        return False
    match condition.op:
        case "lt":
            return bool(found < wanted)
        case "le":
            return bool(found <= wanted)
        case "gt":
            return bool(found > wanted)
        case _:
            return bool(found >= wanted)


def _same(found: Any, wanted: Any) -> bool:
    """Equal, and both or neither a yes/no: 1 is not true."""
    return isinstance(found, bool) == isinstance(wanted, bool) and bool(found == wanted)


def _comparable(found: Any, wanted: Any) -> bool:
    numbers = (int, float)
    if isinstance(found, bool) or isinstance(wanted, bool):
        return False
    return (isinstance(found, numbers) and isinstance(wanted, numbers)) or (
        isinstance(found, str) and isinstance(wanted, str)
    )
