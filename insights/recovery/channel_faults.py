"""Decides whether the channels that a flow's steps name are there, and carry what the steps send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.definition import FlowDefinition, Send
from flows.errors import Fault
from insights.models import ChannelSetup
from insights.recovery.document_faults import escaped
from insights.vocabulary.actions import RecoveryAction

WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    RecoveryAction.SEND_EMAIL: ("email",),
    RecoveryAction.SEND_SMS: ("sms",),
    RecoveryAction.SEND_PUSH: ("push",),
    RecoveryAction.TRIGGER_RETARGETING: ("ads",),
    RecoveryAction.TAG_CUSTOMER: ("shop",),
    RecoveryAction.ADD_TO_SEGMENT: ("ads", "esp"),
    RecoveryAction.CREATE_TICKET: ("ticket",),
    RecoveryAction.CREATE_CRM_TASK: ("crm",),
    RecoveryAction.SUPPRESS_MESSAGES: ("esp",),
    RecoveryAction.CALL_WEBHOOK: ("webhook", "cdp"),
}
"""Action → the words of the channels that can carry it."""


async def faults_of_channels(tx: AsyncSession, project_id: UUID, flow: FlowDefinition) -> list[Fault]:
    """Each step that names a channel which there is none of, or which carries something else. One that names none takes
    what there is when it sends."""
    named = {
        step_id: str(step.params["channel"])
        for step_id, step in flow.steps.items()
        if isinstance(step, Send) and step.action in WORDS and isinstance(step.params.get("channel"), str)
    }
    if not named:
        return []
    rows = await tx.execute(
        select(ChannelSetup.name, ChannelSetup.word)
        .where(ChannelSetup.project_id == project_id)
        .order_by(ChannelSetup.name)
    )
    words = {row.name: row.word for row in rows}
    faults = []
    for step_id, name in named.items():
        step = flow.steps[step_id]
        assert isinstance(step, Send)  # noqa: S101
        fitting = WORDS[step.action]
        # The word itself, and the server's own channel of it, of which only its environment knows.
        if words.get(name) in fitting or name in fitting or name.removeprefix("server ") in fitting:
            continue
        known = ", ".join(channel for channel, word in words.items() if word in fitting)
        problem = f"{name!r} carries {words[name]}" if name in words else f"there is no channel {name[:60]!r}"
        kinds = " or ".join(fitting)
        fix = (
            f"use one of: {known}"
            if known
            else f"set up a channel of the word {kinds} (docs/channels), or leave it out"
        )
        faults.append(Fault(f"/steps/{escaped(step_id)}/params/channel", problem, fix))
    return faults
