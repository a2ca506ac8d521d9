"""The discount code that a step gives: how much and for how long, issued once however often the step is tried.

A step that a loop comes back to gives another one each time: the last one's time may be over.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from flows.ports import SendRequest, Skip
from flows.sent_steps import sends_over, times_done
from flows.zones import zone
from insights.profiles.time_zone import time_zone
from insights.recovery import codes
from insights.recovery.mail_values import until
from insights.recovery.message_faults import SAMPLE
from insights.recovery.plain import whole

CODE_HOURS: Final = 24
MOST_CODE_HOURS: Final = 24 * 30
MOST_PERCENT: Final = 90


async def discount(tx: AsyncSession, request: SendRequest) -> dict[str, Any] | Skip | None:
    """What a message says of the step's code, issued now; None where it gives none.

    ``params``: {"discount_percent": 15, "discount_hours": 24?}.
    """
    if (percent := whole(request.params.get("discount_percent"))) is None:
        return None
    if not 1 <= percent <= MOST_PERCENT:
        return Skip("bad_discount", f"The discount must be 1 to {MOST_PERCENT} percent, not {percent}.")
    return await _code(tx, request, percent)


def sample_code(params: Mapping[str, object]) -> dict[str, Any]:
    """What stands for the code of a step while none is issued."""
    given = (("percent", "discount_percent"), ("hours", "discount_hours"))
    return {**SAMPLE["code"], **{name: params[param] for name, param in given if params.get(param) is not None}}


async def _code(tx: AsyncSession, request: SendRequest, percent: int) -> dict[str, Any] | Skip:
    hours = min(max(whole(request.params.get("discount_hours")) or CODE_HOURS, 1), MOST_CODE_HOURS)
    issued = await codes.issue(
        tx,
        request.project_id,
        issue_key=await _issue_key(tx, request),
        visitor_id=request.visitor_id,
        percent=percent,
        valid_for=timedelta(hours=hours),
        now=request.now,
    )
    if issued.expires_at <= request.now:
        # It was tried before, and what would go out now is what was written then.
        return Skip("too_late", f"Its code was good until {issued.expires_at:%Y-%m-%d %H:%M} UTC.")
    name = await time_zone(tx, request.project_id, request.visitor_id)
    local = zone(name) or UTC
    return {
        "text": issued.code,
        "percent": issued.percent,
        "hours": hours,
        "until": until(issued.expires_at, local),
    }


async def _issue_key(tx: AsyncSession, request: SendRequest) -> str:
    of = request.project_id, request.run_id, request.step_id
    before = await sends_over(tx, *of) + await times_done(tx, *of)
    return f"{request.run_id}/{request.step_id}" + (f"/{before}" if before else "")
