"""Composes what goes to the shop's own people and systems: tickets, CRM tasks, calls of webhooks and data platforms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from flows.intent_to_send import already_delivered
from flows.ports import Composed, SendRequest, Skip
from flows.sent_steps import sent_under
from insights.identity.contact import read_contact
from insights.recovery import tickets, tools
from insights.recovery.mail_values import first_name, things_of_cart
from insights.recovery.plain import one_line
from insights.recovery.rendering import Rendering
from insights.recovery.sightings import SESSIONS_SINCE, sessions_hit


async def ticket_of(tx: AsyncSession, public_url: str, request: SendRequest) -> Composed | Skip:
    """One ticket per error and day."""
    content = ticket_content(public_url, request)
    if isinstance(content, Skip):
        return content
    error = request.trigger["error"]
    key = tickets.dedupe_key(error, request.now)
    # Asked before the sessions are counted: of an error that thousands meet, all but one run end here.
    other = await sent_under(tx, request.project_id, "ticket", key, but_by=request.run_id)
    if other is not None:
        return already_delivered("ticket", other)
    content["sessions"] = await sessions_hit(
        tx, request.project_id, str(error["fingerprint"]), since=request.now - SESSIONS_SINCE
    )
    return Composed(channel="ticket", recipient=None, content=content, dedupe_key=key)


def ticket_content(public_url: str, request: SendRequest) -> dict[str, Any] | Skip:
    """What a ticket says of the trigger's error."""
    error = request.trigger.get("error")
    if not isinstance(error, Mapping) or not error.get("fingerprint"):
        return Skip("no_error", "The session holds no failed request and no script error to report.")
    priority = str(request.params.get("priority", "normal"))
    return tickets.ticket(request.trigger, public_url=public_url, priority=priority)


async def crm_of(tx: AsyncSession, rendering: Rendering, public_url: str, request: SendRequest) -> Composed | Skip:
    """A task, or properties of the contact."""
    contact = await read_contact(tx, request.project_id, request.visitor_id)
    insight = request.trigger.get("insight")
    told: Mapping[str, Any] = insight if isinstance(insight, Mapping) else {}
    session = told.get("session_id")
    named = first_name(contact.traits) if contact is not None else ""
    values = {
        "first_name": named,
        "who": named or (contact.email if contact is not None and contact.email else "A visitor"),
        "reason": one_line(told.get("reason"), 60).replace("_", " ") or "nobody knows why",
        "narrative": one_line(told.get("narrative"), 1_000),
        "session_url": f"{public_url}/app/sessions/{session}" if session else "",
        "total": things_of_cart(request.trigger)[1],
    }
    return await tools.crm(rendering, request, contact, values)


async def call_of(tx: AsyncSession, request: SendRequest) -> Composed:
    """A signed call, or an event of the data platform that the step names."""
    visitor = await read_contact(tx, request.project_id, request.visitor_id)
    if await tools.word_of(tx, request.project_id, request.params.get("channel")) == "cdp":
        return tools.told_platform(request, visitor)
    return Composed(
        channel="webhook",
        recipient=None,
        content={
            "type": one_line(request.params.get("type"), 80) or "recovery.step",
            "timestamp": _iso(request.now),
            "data": {
                "project_id": str(request.project_id),
                "visitor_id": str(request.visitor_id),
                # The shop's own name for them; addresses stay here.
                "user_id": visitor.user_id if visitor is not None else None,
                "run_id": str(request.run_id),
                "step": request.step_id,
                **{name: request.trigger.get(name) for name in ("insight", "session", "cart", "products", "error")},
            },
        },
    )


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
