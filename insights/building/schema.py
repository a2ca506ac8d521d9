"""The JSON Schema of everything that a flow is made of, for whoever draws a builder."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel

from flows.conditions import json_schema
from flows.definition import FlowDefinition
from insights.recovery.step_params import PARAMS
from insights.vocabulary.actions import TO_VISITORS, RecoveryAction
from insights.vocabulary.reasons import Kind, reasons_of


@cache
def flow_schema() -> dict[str, Any]:
    """The flow (draft 2020-12; steps and triggers are its definitions), the parameters of each action, conditions.

    Steps and triggers are found in ``flow`` as they are defined: ``steps`` and ``triggers`` name them by their word.
    """
    flow = FlowDefinition.model_json_schema(by_alias=True)
    return {
        "flow": {"$schema": "https://json-schema.org/draft/2020-12/schema", **flow},
        "steps": _members(flow, "do"),
        "triggers": _members(flow, "on"),
        "actions": {
            action.value: {
                "reaches_visitors": action in TO_VISITORS,
                "params": _params(PARAMS.get(action.value)),
            }
            for action in RecoveryAction
        },
        "conditions": json_schema(),
        "insights": {kind.value: [reason.value for reason in reasons_of(kind)] for kind in Kind},
    }


def _params(model: type[BaseModel] | None) -> dict[str, Any]:
    return {"type": "object"} if model is None else model.model_json_schema(by_alias=True)


def _members(schema: dict[str, Any], tag: str) -> dict[str, str]:
    """The word of each member of a union → where it is defined in the schema."""
    found = {}
    for name, body in schema.get("$defs", {}).items():
        word = body.get("properties", {}).get(tag, {}).get("const")
        if word is not None:
            found[word] = f"#/$defs/{name}"
    return found
