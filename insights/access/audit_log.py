"""Reads what was changed, by whom; and says of every table whether its changes are noted.

The notes themselves are written by the database in the transaction of the change: see ``adapters.postgres.audit``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.models import AuditEntry

AUDITED: Final = frozenset(
    {
        "api_key",
        "channel",
        "delivery",
        "discount_code",
        "flow",
        "flow_draft",
        "flow_policy",
        "flow_run",
        "flow_signal",
        "flow_version",
        "identity_secret",
        "insight",
        "insight_feedback",
        "insight_setting",
        "intent_model",
        "invitation",
        "live_action",
        "login",
        "member",
        "membership",
        "message",
        "message_version",
        "password_reset",
        "policy",
        "privacy_request",
        "privacy_setting",
        "project",
        "provider_erasure",
        "saved_view",
        "segment",
        "segment_member",
        "shop",
        "subscription",
        "suppression",
        "visitor_tag",
        "webhook_source",
    }
)
"""Tables whose changes are noted: what a project is set to, and what people do to single visitors.

Where the process writes as well (messages, insights, runs, tags), only what somebody did is noted: of runs that one was
started by a call, cancelled, or put back to work. Of a draft is noted which revision it is now, not its words. A member
belongs to several projects: a new password, and a link to set one, are noted in each.
"""

NOT_AUDITED: Final = {
    "answered_request": "answers kept so that a repeated request does nothing",
    "audit_entry": "the notes themselves",
    "consent": "happened in the shop",
    "conversion": "happened in the shop",
    "decision": "made by the process, with its own log",
    "delivery_event": "happened at a provider",
    "dialect_message": "happened in the shop",
    "erased_visitor": "follows from a request to erase, which is noted",
    "event": "happened in the shop",
    "flow_occurrence": "happened in the shop",
    "flow_schedule": "follows from the published version",
    "flow_watch": "follows from the published version",
    "identity_claim": "counted by the process",
    "identity_link": "happened in the shop",
    "kept_offer": "made by the process; its run's history tells of it",
    "login_throttle": "counted by the process",
    "live_claim": "counted by the process",
    "live_spend": "counted by the process",
    "mirrored_code": "follows from the codes that were issued",
    "model_batch": "made by the process",
    "model_spend": "counted by the process",
    "notice": "made by the process; each says what became of it",
    "order_claim": "happened in the shop",
    "pattern": "found by the process; older ones are kept",
    "pattern_look": "counted by the process",
    "person": "happened in the shop",
    "platform_feed": "how far the process came",
    "policy_bucket": "counted by the process",
    "policy_change": "a log of its own, never changed",
    "policy_snapshot": "learned by the process",
    "provider_event": "happened at a provider",
    "push_subscription": "happened in the shop",
    "rate_bucket": "counted by the process",
    "rejected_event": "happened in the shop",
    "reward": "counted by the process",
    "run_event": "a log of its own, never changed",
    "segment_move": "follows from what visitors did",
    "session": "happened in the shop",
    "ticket_watch": "follows from the tickets that were opened",
    "visitor": "happened in the shop",
    "webhook_receipt": "happened in the shop",
}
"""Tables whose changes are not, each with the reason."""


async def entries_of(
    tx: AsyncSession,
    project_id: UUID,
    *,
    before: int | None = None,
    subject: str | None = None,
    subject_id: str | None = None,
    actor_id: UUID | None = None,
    limit: int = 50,
) -> Sequence[AuditEntry]:
    """Entries, the newest first. ``before``: only those with a smaller id, for paging."""
    asked = select(AuditEntry).where(AuditEntry.project_id == project_id).order_by(AuditEntry.id.desc()).limit(limit)
    if before is not None:
        asked = asked.where(AuditEntry.id < before)
    if subject is not None:
        asked = asked.where(AuditEntry.subject == subject)
    if subject_id is not None:
        asked = asked.where(AuditEntry.subject_id == subject_id)
    if actor_id is not None:
        asked = asked.where(AuditEntry.actor_id == actor_id)
    return (await tx.scalars(asked)).all()
