"""Decides what a flow that somebody wrote means, and names everything that cannot be read in it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from flows.definition import FlowDefinition
from flows.definition.part import StepId
from flows.errors import Fault
from insights.recovery.document_faults import faults_of

_NAME: Final = TypeAdapter[str](StepId)


@dataclass(frozen=True, slots=True)
class Reading:
    """``flow`` is None when the document cannot be read whole. ``readable`` is the flow as far as it can be read, in
    which ``doubtful`` steps are only stand-ins: what is wrong elsewhere can be found in it already."""

    flow: FlowDefinition | None
    faults: list[Fault]
    readable: FlowDefinition | None = None
    doubtful: frozenset[str] = frozenset()


def read(document: object) -> Reading:
    """The flow that a JSON document stands for, or all that cannot be read in it."""
    if not isinstance(document, dict):
        return Reading(None, [Fault("", "is not a flow", "write an object with name, trigger, start and steps")])
    try:
        flow = FlowDefinition.model_validate(document)
    except ValidationError as error:
        faults = faults_of(error, document, FlowDefinition)
        readable, doubtful = _as_far_as_readable(document, faults)
        return Reading(None, faults, readable, doubtful)
    return Reading(flow, [], flow)


def _as_far_as_readable(
    document: Mapping[str, object], faults: Sequence[Fault]
) -> tuple[FlowDefinition | None, frozenset[str]]:
    """The rest of a flow, with what cannot be read left out or replaced, so that it can be looked at as well."""
    broken = [fault.pointer.split("/")[1:] for fault in faults]
    steps = document.get("steps")
    if not isinstance(steps, dict) or not steps or ["steps"] in broken:
        return None, frozenset()
    bad = {path[1].replace("~1", "/").replace("~0", "~") for path in broken if path[0] == "steps" and len(path) > 1}
    stand_ins = {"name": "unread", "start": next(iter(steps)), "trigger": {"on": "insight"}}
    known = {key: deepcopy(value) for key, value in document.items() if key in FlowDefinition.model_fields}
    for path in broken:
        if path[0] != "steps":
            _leave_out(known, path)
    rest = stand_ins | known
    rest["steps"] = {name: {"do": "exit"} if name in bad else step for name, step in steps.items() if _is_name(name)}
    try:
        return FlowDefinition.model_validate(rest), frozenset(bad)
    except ValidationError:
        return None, frozenset()


def _leave_out(document: dict[str, Any], path: Sequence[str]) -> None:
    """Takes out what stands at a path: itself alone where it lies in an object, else the whole of the first part."""
    inner: Any = document
    for part in path[:-1]:
        inner = inner.get(part) if isinstance(inner, dict) else None
    if isinstance(inner, dict) and path[-1] in inner:
        del inner[path[-1]]
    else:
        document.pop(path[0], None)


def _is_name(step: str) -> bool:
    try:
        _NAME.validate_python(step)
    except ValidationError:
        return False
    return True
