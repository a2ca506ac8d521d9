"""Decides whether the parameters of a flow's send steps are what their actions understand. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
from pydantic import ValidationError

from flows.definition import FlowDefinition, Send
from flows.errors import Fault
from insights.recovery.document_faults import escaped, faults_of
from insights.recovery.kept_offer import SAMPLE_CODE, faults_of_offer, offer_in
from insights.recovery.step_params import PARAMS
from insights.vocabulary.actions import RecoveryAction


def faults_of_params(flow: FlowDefinition) -> Iterator[Fault]:
    """Everything wrong with the parameters of a flow, each by its pointer."""
    for name, step in flow.steps.items():
        if not isinstance(step, Send) or (kind := PARAMS.get(step.action)) is None:
            continue
        at = f"/steps/{escaped(name)}/params"
        try:
            kind.model_validate(step.params)
        except ValidationError as error:
            yield from faults_of(error, step.params, kind, at)
            continue
        if step.action == RecoveryAction.SHOW_POPUP:
            yield from _faults_of_popup(name, step, at)


def _faults_of_popup(name: str, step: Send, at: str) -> Iterator[Fault]:
    """An offer is held to what every live action is held to."""
    gives_code = step.params.get("discount_percent") is not None
    try:
        entry = offer_in(step.params, name, SAMPLE_CODE if gives_code else {})
    except msgspec.ValidationError as error:
        yield Fault(at, f"cannot be shown: {error}", "write it as the schema says (GET /v1/flows/schema)")
        return
    for fault in faults_of_offer(entry, gives_code=gives_code):
        yield replace(fault, pointer=at + fault.pointer)
