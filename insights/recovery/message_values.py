"""The registry of values that a message may speak of, and what is wrong with one that speaks of others. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final

from liquid import BoundTemplate, Environment, RenderContext
from liquid.ast import Node
from liquid.builtin.tags.for_tag import ForNode


@dataclass(frozen=True, slots=True)
class Value:
    """A value: what it is, the values inside of it, whether it is a list, and the parameter without which there is
    none. ``open``: it may hold anything, and what it does not hold is empty."""

    says: str
    inside: Mapping[str, Value] = field(default_factory=dict)
    many: bool = False
    open: bool = False
    needs: str | None = None


_THING: Final = {
    "name": Value("the product's name"),
    "quantity": Value("how many, 1 or more"),
    "price": Value("the price of all of them, written out; empty where it is not known"),
    "product_id": Value("the shop's id of the product"),
}

VALUES: Final[Mapping[str, Value]] = MappingProxyType(
    {
        "shop": Value("the project's name"),
        "link": Value("the way back to the shop, with campaign tags"),
        "cart_link": Value("the way back to the cart as it was left"),
        "unsubscribe_url": Value("ends messages with one click; every mail must show it"),
        "has_cart": Value("whether anything was in the cart"),
        "things": Value("what was in the cart, or else what was looked at", _THING, many=True),
        "viewed": Value("what was looked at, the last one first", _THING, many=True),
        "total": Value("the cart's value, written out; empty where it is not known"),
        "answers": Value(
            "the step's questions and answers",
            {"question": Value("one line"), "answer": Value("a few sentences")},
            many=True,
        ),
        "code": Value(
            "the discount code issued for this visitor",
            {
                "text": Value("the code"),
                "percent": Value("so many percent"),
                "hours": Value("good for so many hours"),
                "until": Value("until when, in the visitor's time"),
            },
            needs="discount_percent",
        ),
        "form": Value("what the visitor wrote into fields marked data-whyleft-keep, by field name", open=True),
        "first_name": Value("the visitor's first name as the shop told it; empty where it is not known"),
        "reason": Value("why they left, such as price_hesitation; empty for what was not started by an insight"),
    }
)
"""Name → value. What is rendered has all of these, but for those that a parameter of the step brings."""

OF_PEOPLE: Final = ("form", "first_name")
"""Values in somebody's own words, or with their name."""

TASK_VALUES: Final[Mapping[str, Value]] = MappingProxyType(
    {
        "who": Value("the visitor's first name or address; A visitor where neither is known"),
        "first_name": Value("the visitor's first name as the shop told it; empty where it is not known"),
        "reason": Value("why they left, in words"),
        "narrative": Value("why they left, as the insight tells it"),
        "session_url": Value("the visit in the viewer; empty for what was not started by an insight"),
        "total": Value("the cart's value, written out; empty where it is not known"),
    }
)
"""What the texts of a CRM task may speak of."""

_NO_CONTEXT: Final = RenderContext(Environment().from_string(""))
_SIZES: Final = frozenset({"size", "first", "last"})


@dataclass(frozen=True, slots=True)
class Missing:
    """A name that a template uses and nobody gives: at character ``index`` of the template."""

    name: str
    index: int
    fix: str


def needs_of(template: BoundTemplate) -> set[str]:
    """The parameters of a step without which the template lacks a value."""
    names = {segments[0] for segments, _ in _used(template)}
    return {value.needs for name, value in VALUES.items() if name in names and value.needs is not None}


def missing_in(
    template: BoundTemplate, also: Sequence[str] = (), known: Mapping[str, Value] = VALUES
) -> Iterator[Missing]:
    """Every name that a template uses and that is none of the ``known`` values. ``also``: names given besides."""
    told: set[str] = set()
    for segments, index in _used(template):
        if segments[0] in also:
            continue
        found = _look(segments, known)
        if found is not None and found[0] not in told:
            told.add(found[0])
            yield Missing(found[0], index, found[1])


def _used(template: BoundTemplate) -> Iterator[tuple[list[Any], int]]:
    """Every path of a value that a template uses, loop variables told as the list that they run through."""
    analysis = template.analyze(include_partials=False)
    loops = _loops(template.nodes)
    for name, variables in analysis.variables.items():
        for variable in variables:
            segments = list(variable.segments)
            if name in loops:
                for path in loops[name]:
                    yield [*path, *segments[1:]], variable.span.index
            elif name in analysis.globals:
                yield segments, variable.span.index


def _loops(nodes: Iterable[Node]) -> dict[str, list[list[Any]]]:
    """Loop variable → the paths of what it runs through, an index standing for one of them."""
    found: dict[str, list[list[Any]]] = {}
    waiting = list(nodes)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ForNode):
            path = getattr(node.expression.iterable, "path", ())
            segments = [part for part in path if isinstance(part, str | int)]
            for base in found.get(str(segments[0]), [[segments[0]]]) if segments else []:
                found.setdefault(str(node.expression.identifier), []).append([*base, *segments[1:], 0])
        waiting += node.children(_NO_CONTEXT, include_partials=False)
    return found


def _look(segments: Sequence[object], known: Mapping[str, Value]) -> tuple[str, str] | None:
    """The name that is not there, as it is written, and a fix; None for a value that is."""
    name = str(segments[0])
    value = known.get(name)
    if value is None:
        return name, _nearest(name, known)
    written = name
    for part in segments[1:]:
        if value.open:
            return None
        if isinstance(part, int) or (isinstance(part, str) and part in _SIZES):
            if value.many:
                value = value if isinstance(part, str) and part == "size" else Value(value.says, value.inside)
                written += f"[{part}]" if isinstance(part, int) else f".{part}"
                continue
            if part == "size":
                return None
        inner = value.inside.get(str(part)) if not value.many else None
        if inner is None:
            return f"{written}.{part}", _nearest(str(part), value.inside, value.many)
        value, written = inner, f"{written}.{part}"
    return None


def _nearest(word: str, known: Mapping[str, Value], many: bool = False) -> str:
    close = get_close_matches(word, known, n=2, cutoff=0.6)
    if many:
        return "it is a list: go through it with {% for %}"
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"use one of: {', '.join(known)}" if known else "it has nothing inside: remove what follows the full stop"
