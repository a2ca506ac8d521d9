"""Puts the steps of a flow in the order in which a run comes to them, as people read it. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from flows.definition import FlowDefinition, ways_of
from insights.building.reading import read


def in_order(flow: FlowDefinition) -> list[str]:
    """The steps from the start on, those that are as near to it side by side; what cannot be reached comes last."""
    found: dict[str, None] = {}
    waiting = deque([flow.start])
    while waiting:
        name = waiting.popleft()
        if name not in found and name in flow.steps:
            found[name] = None
            waiting.extend(ways_of(flow.steps[name]).values())
    return [*found, *(name for name in flow.steps if name not in found)]


def stored_in_order(definition: Mapping[str, Any]) -> list[str]:
    """The same of a stored definition; as it is stored where it cannot be read any more."""
    flow = read(dict(definition)).flow
    return list(definition.get("steps", {})) if flow is None else in_order(flow)
