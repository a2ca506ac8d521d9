"""A flow's definition as a tree of steps in words: what follows what, and which way leads where.

A definition may be unfinished: whatever is missing or of the wrong type is shown as that, never an error. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from flows.conditions import ConditionInvalid, to_words, understand
from insights.viewer.wording import label
from insights.vocabulary.shares import percent

MOST_STEPS: Final = 100
_UNITS: Final = {"D": "day", "H": "hour", "M": "minute", "S": "second"}


@dataclass(frozen=True, slots=True)
class Way:
    """One way on from a step. ``key`` is what a preview counts it by. ``may_end``: there need not be a step."""

    key: str
    label: str
    steps: tuple[Node, ...]
    may_end: bool


@dataclass(frozen=True, slots=True)
class Node:
    """A step. ``do`` is ``goes_on`` where the flow goes on at a step that is drawn elsewhere, ``missing`` where it
    leads to a step that is not there."""

    name: str
    do: str
    title: str
    detail: str = ""
    ways: tuple[Way, ...] = ()
    faults: tuple[Mapping[str, Any], ...] = ()


@dataclass(slots=True)
class Tree:
    """The whole flow. ``loose``: steps that nothing leads to. ``faults``: those of the flow itself."""

    trigger: str
    trigger_detail: str
    trigger_faults: tuple[Mapping[str, Any], ...]
    steps: tuple[Node, ...]
    loose: tuple[Node, ...]
    faults: tuple[Mapping[str, Any], ...] = field(default=())


def tree_of(definition: Mapping[str, object], faults: Sequence[Mapping[str, object]] = ()) -> Tree:
    """The tree of a definition; ``faults`` as the API tells them, each at its JSON pointer."""
    steps = definition.get("steps")
    known: dict[str, Any] = dict(list(steps.items())[:MOST_STEPS]) if isinstance(steps, dict) else {}
    by_step: dict[str, list[Mapping[str, Any]]] = {}
    at_trigger, around = [], []
    for fault in faults:
        parts = str(fault.get("pointer", "")).split("/")
        fault = {**fault, "field": _field(parts)}
        if len(parts) > 2 and parts[1] == "steps" and _unescaped(parts[2]) in known:
            by_step.setdefault(_unescaped(parts[2]), []).append(fault)
        elif len(parts) > 1 and parts[1] == "trigger":
            at_trigger.append(fault)
        else:
            around.append(fault)
    drawer = _Drawer(known, by_step)
    drawn = drawer.line(definition.get("start"))
    loose: list[Node] = []
    for name in known:
        if name not in drawer.drawn:
            loose += drawer.line(name)
    title, detail = trigger_words(definition.get("trigger"))
    return Tree(title, detail, tuple(at_trigger), drawn, tuple(loose), tuple(around))


def _field(pointer: Sequence[str]) -> str:
    """The field that a pointer leads to, as a person would call it; "" for a whole step."""
    named = [part for part in pointer[1:] if not part.isdigit()]
    return "" if not named or (len(named) == 2 and named[0] == "steps") else label(_unescaped(named[-1]))


class _Drawer:
    def __init__(self, steps: Mapping[str, Any], faults: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self._steps = steps
        self._faults = faults
        self.drawn: set[str] = set()

    def line(self, start: Any) -> tuple[Node, ...]:
        """The steps from ``start`` on that follow one another, with the ways of each inside it."""
        nodes: list[Node] = []
        name = start
        while isinstance(name, str) and name:
            if name not in self._steps:
                nodes.append(Node(name, "missing", f"There is no step “{name}”"))
                break
            if name in self.drawn:
                nodes.append(Node(name, "goes_on", f"goes on at “{name}”"))
                break
            self.drawn.add(name)
            step = self._steps[name] if isinstance(self._steps[name], dict) else {}
            title, detail = step_words(step)
            ways = tuple(Way(key, text, self.line(to), step.get("do") == "wait") for key, text, to in _ways(step))
            do = str(step.get("do", "")) or "missing"
            nodes.append(Node(name, do, title, detail, ways, tuple(self._faults.get(name, ()))))
            name = step.get("next") if not ways or step.get("do") == "wait" else None
            if step.get("do") == "wait" and ways:
                break
        return tuple(nodes)


def _ways(step: Mapping[str, object]) -> list[tuple[str, str, Any]]:
    """(key, label, step) of each way on; none for a step that has one successor."""
    kind = step.get("do")
    if kind == "branch":
        return [("then", "Yes", step.get("then")), ("otherwise", "No, or not known", step.get("otherwise"))]
    if kind == "split":
        ways = step.get("ways")
        told = [way for way in ways if isinstance(way, dict)] if isinstance(ways, list) else []
        total = sum(_number(way.get("weight")) for way in told) or 1.0
        return [
            (str(way.get("next")), percent(_number(way.get("weight")) / total) + " of them", way.get("next"))
            for way in told
        ]
    if kind == "wait" and (step.get("until") or step.get("event")):
        return [
            ("signalled", "It came", step.get("next")),
            ("waited", "It did not", step.get("otherwise") or step.get("next")),
        ]
    return []


def step_words(step: Mapping[str, Any]) -> tuple[str, str]:
    """What a step does, and more of it."""
    kind = step.get("do")
    params = step.get("params") if isinstance(step.get("params"), dict) else {}
    if kind == "send":
        told = [f"{name}: {_short(value)}" for name, value in (params or {}).items() if name != "message"]
        message = (params or {}).get("message")
        title = label(str(step.get("action") or "Choose what is sent"))
        return title + (f": {_short(message)}" if message else ""), ", ".join(told)
    if kind == "wait":
        return _wait_words(step)
    if kind == "branch":
        return "If " + (condition_words(step.get("when")) or "…"), ""
    if kind == "split":
        return "Split by chance", ""
    if kind == "exit":
        return "End", _short(step.get("reason") or "finished")
    return "Unfinished step", "choose what it does"


def _wait_words(step: Mapping[str, object]) -> tuple[str, str]:
    at, until, event = step.get("at"), step.get("until"), step.get("event")
    longest = duration_words(step.get("for"))
    if isinstance(until, dict):
        return f"Wait for {_short(until.get('name'))}", f"at most {longest}" if longest else ""
    if isinstance(event, dict):
        named = event.get("name") or event.get("type")
        return f"Wait for the event {_short(named)}", f"at most {longest}" if longest else ""
    if isinstance(at, dict):
        days = at.get("weekdays")
        on = " on " + ", ".join(str(day) for day in days) if isinstance(days, list) and days else ""
        return f"Wait until {_short(at.get('time'))}{on}", "at the visitor's place" if not at.get("zone") else ""
    return f"Wait {longest or '…'}", ""


def trigger_words(trigger: object) -> tuple[str, str]:
    """What starts the flow, and the conditions on it."""
    if not isinstance(trigger, dict):
        return "Choose what starts it", ""
    kind = trigger.get("on")
    reasons = trigger.get("reasons")
    named = ", ".join(label(str(reason)) for reason in reasons) if isinstance(reasons, list) and reasons else ""
    title = {
        "insight": "A visit ended: " + (named or label(str(trigger.get("kind") or "any reason"))),
        "event": f"The event {_short(trigger.get('name') or trigger.get('event') or '…')}",
        "segment": f"Somebody {'leaves' if trigger.get('change') == 'left' else 'comes into'} the segment "
        + _short(trigger.get("segment") or "…"),
        "pattern": "A pattern is found",
        "schedule": "At set times",
        "api": "A call of the API",
    }.get(str(kind), "Choose what starts it")
    details = []
    if confidence := _number(trigger.get("min_confidence")):
        details.append(f"at least {percent(confidence)} confident")
    if isinstance(pages := trigger.get("pages"), list) and pages:
        details.append("on " + ", ".join(_short(page) for page in pages))
    if words := condition_words(trigger.get("when")):
        details.append(f"if {words}")
    return title, "; ".join(details)


def condition_words(condition: object) -> str:
    """A condition as text, however it was written."""
    if isinstance(condition, str):
        return _short(condition, 200)
    if isinstance(condition, dict):
        try:
            return _short(to_words(understand(condition)), 200)
        except ConditionInvalid:
            return "a condition that cannot be read"
    return ""


def duration_words(value: object) -> str:
    """An ISO 8601 duration in words: PT4H → 4 hours."""
    found = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", str(value or ""))
    if found is None or not any(found.groups()):
        return "" if not value else _short(value)
    parts = []
    for count, unit in zip(found.groups(), _UNITS.values(), strict=True):
        if count and float(count):
            parts.append(f"{count} {unit}{'' if count == '1' else 's'}")
    return " ".join(parts)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _short(value: object, longest: int = 60) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")
