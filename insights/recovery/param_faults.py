"""Decides whether the parameters of a flow's send steps are what their actions understand. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from flows.definition import FlowDefinition, Send
from flows.errors import Fault
from insights.recovery.document_faults import escaped, faults_of
from insights.recovery.step_params import PARAMS


def faults_of_params(flow: FlowDefinition) -> Iterator[Fault]:
    """Everything wrong with the parameters of a flow, each by its pointer."""
    for name, step in flow.steps.items():
        if isinstance(step, Send) and (kind := PARAMS.get(step.action)) is not None:
            try:
                kind.model_validate(step.params)
            except ValidationError as error:
                yield from faults_of(error, step.params, kind, f"/steps/{escaped(name)}/params")
