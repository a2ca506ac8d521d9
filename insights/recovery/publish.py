"""Publishes flows for a project: from then on its visitors get what they send."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flows.definition import FlowDefinition, Vocabulary, conditions_of, segments_of, validate
from flows.errors import Fault, FlowInvalid
from flows.models import Flow, FlowVersion
from flows.store import publish
from insights.conditions.fields import FIELDS
from insights.models import FlowDraft, PrivacySetting
from insights.recovery.channel_faults import faults_of_channels
from insights.recovery.library import looking
from insights.recovery.param_faults import faults_of_params
from insights.recovery.sent_messages import faults_of_sent_messages
from insights.recovery.starter import quiet_after_purchase, starter_flows
from insights.recovery.tools import has_channel
from insights.segments.store import conditions_of_segments, segments_named, unknown_segments
from insights.vocabulary.actions import TO_VISITORS, RecoveryAction
from insights.vocabulary.events import PROPS
from insights.vocabulary.reasons import Kind, Reason, reasons_of

ACTIONS = frozenset(action.value for action in RecoveryAction)
WORDS = Vocabulary(
    to_visitors=frozenset(action.value for action in TO_VISITORS),
    events=frozenset(PROPS),
    kinds=frozenset(kind.value for kind in Kind),
    reasons=frozenset(reason.value for reason in Reason),
    reasons_of={kind.value: frozenset(reason.value for reason in reasons_of(kind)) for kind in Kind},
)
"""The words of flows beside actions and fields. Channels are any word: a project may have its own."""


async def faults_of(tx: AsyncSession, project_id: UUID, flow: FlowDefinition, keep_days: int = 0) -> list[Fault]:
    """Everything wrong with a flow, for this project: a segment that its conditions name must be one of its own.

    ``keep_days``: how long the server keeps visits where the project says nothing of it; 0 for ever.
    """
    own = await tx.scalar(select(PrivacySetting.keep_days).where(PrivacySetting.project_id == project_id))
    days = own or keep_days
    words = replace(WORDS, retention=timedelta(days=days)) if days else WORDS
    faults = await looking().beside(project_id, _faults_in_itself, flow, words)
    told = {fault.pointer for fault in faults}
    faults += await faults_of_channels(tx, project_id, flow)
    faults += await faults_of_sent_messages(tx, project_id, flow, told)
    conditions = conditions_of(flow)
    named = segments_of(flow)
    if named or any(segments_named(condition) for condition in conditions.values()):
        segments = await conditions_of_segments(tx, project_id)
        known = ", ".join(sorted(segments)) or "none yet: POST /v1/segments makes one"
        faults += [
            Fault(pointer, f"there is no segment {name!r}", f"use one of: {known}")
            for pointer, name in named.items()
            if name not in segments
        ]
        faults += [
            replace(fault, pointer=pointer + fault.pointer)
            for pointer, condition in conditions.items()
            for fault in unknown_segments(condition, segments)
        ]
    return faults


def _faults_in_itself(flow: FlowDefinition, words: Vocabulary) -> list[Fault]:
    return [*validate(flow, ACTIONS, FIELDS, words), *faults_of_params(flow)]


async def publish_flow(
    tx: AsyncSession, project_id: UUID, flow: FlowDefinition, now: datetime, keep_days: int = 0
) -> FlowVersion:
    """The version that new runs get from now on. Raises FlowInvalid with everything wrong."""
    if faults := await faults_of(tx, project_id, flow, keep_days):
        raise FlowInvalid(faults)
    return await publish(tx, project_id, flow, now, ACTIONS, FIELDS)


async def publish_starter_flows(
    tx: AsyncSession, project_id: UUID, now: datetime, *, wait_scale: float = 1.0, keep_days: int = 0
) -> int:
    """Publishes each starter flow; returns how many. Doing it again makes no new versions, and a flow that somebody has
    edited since is left as it is. Where a mail service is connected, who buys is left in peace there too."""
    rows = await tx.scalars(
        select(Flow.name)
        .join(FlowDraft, (FlowDraft.project_id == Flow.project_id) & (FlowDraft.flow_id == Flow.id))
        .where(Flow.project_id == project_id)
    )
    edited = set(rows)
    wanted = starter_flows(wait_scale=wait_scale)
    if await has_channel(tx, project_id, "esp"):
        wanted.append(quiet_after_purchase())
    flows = [flow for flow in wanted if flow.name not in edited]
    for flow in flows:
        await publish_flow(tx, project_id, flow, now, keep_days)
    return len(flows)
