"""Whether a condition is true, false or unknown of a subject, and which part of it made it so.

What is not known is neither true nor false (Kleene's logic): every comparison with a missing value is unknown, ``not``
keeps unknown, ``all`` is false as soon as one part is, ``any`` true as soon as one is, and otherwise an unknown part
makes them unknown. Only ``is known`` and ``is unknown`` are never unknown. Whoever acts on a condition acts on true.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, Protocol, TypeVar

from flows.conditions.fields import Fields
from flows.conditions.tree import All, AnyOf, Check, Condition, Money, Not, Op, Value
from flows.conditions.typecheck import type_faults
from flows.conditions.words import asked_words, to_words, value_words

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)
Truth = bool | None
"""None is unknown."""
Known = Value | frozenset[str]
"""What a field holds when it is known."""


class Source(Protocol[S_contra]):
    """Where the fields of a subject are read. What it gives is of the field's type, None where it is not known."""

    def reader(self, field: str, args: tuple[Value, ...]) -> Callable[[S_contra], Any]:
        """How to read a field; asked once for each check, when a condition is compiled."""
        ...

    def now(self, subject: S_contra) -> datetime:
        """The moment at which the subject is looked at."""
        ...


MOST_SAID: Final = 8
"""Checks that a short explanation names."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One part of a condition with its truth, and what was found where it is a check. ``pointer``: where it stands."""

    pointer: str
    says: str
    truth: Truth
    asked: str | None = None
    found: Known | None = None
    parts: tuple[Explanation, ...] = ()

    def deciding(self) -> list[Explanation]:
        """The checks that made it what it is: had they been otherwise, it could have been."""
        if not self.parts:
            return [self]
        chosen = [part for part in self.parts if part.truth is self.truth]
        # Under a not the truth is turned round, so no part may have it.
        return [check for part in chosen or self.parts for check in part.deciding()]

    def why(self) -> str:
        """The deciding checks in words: "cart.value is 20.00 EUR" or "visitor.country is not known"."""
        words = list(dict.fromkeys(_found_words(check) for check in self.deciding()))
        more = [f"and {len(words) - MOST_SAID} more"] if len(words) > MOST_SAID else []
        return "; ".join(words[:MOST_SAID] + more)


def _found_words(check: Explanation) -> str:
    if check.found is None:
        return f"{check.asked} is not known"
    shown = known_words(check.found)
    return f"{check.asked} is {shown if len(shown) <= 120 else shown[:119] + '…'}"


def known_words(value: Known) -> str:
    """A field's value as people read it."""
    if isinstance(value, frozenset):
        return f"({', '.join(value_words(one) for one in sorted(value))})"
    return value_words(value)


class Compiled(Generic[S]):
    """A condition made ready for many evaluations. Cheap to call, safe to share.

    A check that does not fit ``fields`` (they may have changed since the condition was stored) is unknown.
    """

    __slots__ = ("_reading", "condition", "truth")

    def __init__(self, condition: Condition, fields: Fields, source: Source[S]) -> None:
        self.condition = condition
        self._reading = _Reading(fields, source)
        self.truth: Callable[[S], Truth] = _closure(condition, self._reading)
        """True, False, or None where it is unknown."""

    def holds(self, subject: S) -> bool:
        """Whether it is true: not false, and not unknown."""
        return self.truth(subject) is True

    def explain(self, subject: S) -> Explanation:
        """Its truth and that of every part. Slower than ``truth`` and never different from it."""
        return _explained(self.condition, "", subject, self._reading)


class _Reading(Generic[S]):
    def __init__(self, fields: Fields, source: Source[S]) -> None:
        self.fields = fields
        self.now = source.now
        self._source = source

    def reader(self, check: Check) -> Callable[[S], Any]:
        if type_faults(check, self.fields):
            return lambda subject: None
        return self._source.reader(check.field, check.args)


def _explained(condition: Condition, pointer: str, subject: S, source: _Reading[S]) -> Explanation:
    says = to_words(condition)
    match condition:
        case All(parts):
            found = tuple(_explained(p, f"{pointer}/all/{i}", subject, source) for i, p in enumerate(parts))
            return Explanation(pointer, says, _all(part.truth for part in found), parts=found)
        case AnyOf(parts):
            found = tuple(_explained(p, f"{pointer}/any/{i}", subject, source) for i, p in enumerate(parts))
            return Explanation(pointer, says, _any(part.truth for part in found), parts=found)
        case Not(part):
            inner = _explained(part, f"{pointer}/not", subject, source)
            return Explanation(pointer, says, None if inner.truth is None else not inner.truth, parts=(inner,))
        case Check():
            value = source.reader(condition)(subject)
            truth = _check(condition, source)(subject)
            asked = asked_words(condition.field, condition.args)
            known = frozenset(value) if isinstance(value, set | frozenset | tuple | list) else value
            return Explanation(pointer, says, truth, asked, known)


def _all(truths: Any) -> Truth:
    result: Truth = True
    for truth in truths:
        if truth is False:
            return False
        if truth is None:
            result = None
    return result


def _any(truths: Any) -> Truth:
    result: Truth = False
    for truth in truths:
        if truth is True:
            return True
        if truth is None:
            result = None
    return result


def _closure(condition: Condition, source: _Reading[S]) -> Callable[[S], Truth]:
    match condition:
        case All(parts):
            return _all_of(tuple(_closure(part, source) for part in parts))
        case AnyOf(parts):
            return _any_of(tuple(_closure(part, source) for part in parts))
        case Not(part):
            inner = _closure(part, source)

            def negated(subject: S) -> Truth:
                truth = inner(subject)
                return None if truth is None else not truth

            return negated
        case Check():
            return _check(condition, source)


def _all_of(parts: tuple[Callable[[S], Truth], ...]) -> Callable[[S], Truth]:
    def every(subject: S) -> Truth:
        result: Truth = True
        for part in parts:
            truth = part(subject)
            if truth is False:
                return False
            if truth is None:
                result = None
        return result

    return every


def _any_of(parts: tuple[Callable[[S], Truth], ...]) -> Callable[[S], Truth]:
    def some(subject: S) -> Truth:
        result: Truth = False
        for part in parts:
            truth = part(subject)
            if truth is True:
                return True
            if truth is None:
                result = None
        return result

    return some


def _check(check: Check, source: _Reading[S]) -> Callable[[S], Truth]:
    read = source.reader(check)
    if check.op is Op.KNOWN:
        return lambda subject: read(subject) is not None
    if check.op is Op.UNKNOWN:
        return lambda subject: read(subject) is None
    if check.op in (Op.WITHIN, Op.OLDER_THAN):
        return _age(check, read, source)
    if isinstance(check.value, Money):
        return _amount(check.op, check.value, read)
    if check.op is Op.EQ and check.value is True:
        # What it finds, of the field's type, is the answer.
        return read
    judge = _judge(check.op, check.value)

    def judged(subject: S) -> Truth:
        value = read(subject)
        return None if value is None else judge(value)

    return judged


def _age(check: Check, read: Callable[[S], Any], source: _Reading[S]) -> Callable[[S], Truth]:
    limit = check.value
    assert isinstance(limit, timedelta)  # noqa: S101 (a condition that was checked compares an age with a duration)
    within = check.op is Op.WITHIN

    def aged(subject: S) -> Truth:
        at = read(subject)
        return None if at is None else (source.now(subject) - at <= limit) is within

    return aged


def _amount(op: Op, wanted: Money, read: Callable[[S], Any]) -> Callable[[S], Truth]:
    judge = _judge(op, wanted.minor)

    def judged(subject: S) -> Truth:
        value = read(subject)
        # Another currency is no smaller or larger amount: it cannot be compared.
        return None if value is None or value.currency != wanted.currency else judge(value.minor)

    return judged


def _judge(op: Op, wanted: object) -> Callable[[Any], bool]:
    """What decides over a known value. Texts are compared without regard to capital letters."""
    return _OF_TEXT[op](wanted) if op in _OF_TEXT and _about_text(wanted) else _OF_ANY[op](wanted)


def _about_text(wanted: object) -> bool:
    return isinstance(wanted[0] if isinstance(wanted, tuple) and wanted else wanted, str)


def _set_of(wanted: tuple[str, ...]) -> frozenset[str]:
    return frozenset(one.casefold() for one in wanted)


_OF_TEXT: Final[dict[Op, Callable[[Any], Callable[[Any], bool]]]] = {
    Op.EQ: lambda wanted: (lambda text: lambda found: bool(found.casefold() == text))(wanted.casefold()),
    Op.NE: lambda wanted: (lambda text: lambda found: bool(found.casefold() != text))(wanted.casefold()),
    Op.IN: lambda wanted: (lambda texts: lambda found: found.casefold() in texts)(_set_of(wanted)),
    Op.NOT_IN: lambda wanted: (lambda texts: lambda found: found.casefold() not in texts)(_set_of(wanted)),
    Op.CONTAINS: lambda wanted: (lambda text: lambda found: text in found.casefold())(wanted.casefold()),
    Op.STARTS_WITH: lambda wanted: (lambda t: lambda found: bool(found.casefold().startswith(t)))(wanted.casefold()),
    Op.ENDS_WITH: lambda wanted: (lambda t: lambda found: bool(found.casefold().endswith(t)))(wanted.casefold()),
    Op.HAS: lambda wanted: (lambda t: lambda found: any(one.casefold() == t for one in found))(wanted.casefold()),
    Op.HAS_ANY: lambda wanted: (lambda t: lambda found: any(one.casefold() in t for one in found))(_set_of(wanted)),
    Op.HAS_ALL: lambda wanted: (lambda t: lambda found: t <= {one.casefold() for one in found})(_set_of(wanted)),
}

_OF_ANY: Final[dict[Op, Callable[[Any], Callable[[Any], bool]]]] = {
    Op.EQ: lambda wanted: lambda found: bool(found == wanted),
    Op.NE: lambda wanted: lambda found: bool(found != wanted),
    Op.LT: lambda wanted: lambda found: bool(found < wanted),
    Op.LE: lambda wanted: lambda found: bool(found <= wanted),
    Op.GT: lambda wanted: lambda found: bool(found > wanted),
    Op.GE: lambda wanted: lambda found: bool(found >= wanted),
    Op.IN: lambda wanted: lambda found: found in wanted,
    Op.NOT_IN: lambda wanted: lambda found: found not in wanted,
}
