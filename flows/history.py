"""A run's history: the lines that one transaction adds to it, written together at the transaction's end."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from flows.models import FlowRun, RunEvent

_LINES: Final = "lines of histories"


def say(tx: AsyncSession, run: FlowRun, now: datetime, step: str | None, what: str, detail: str = "") -> None:
    """Adds one line, once the transaction calls ``write_down``."""
    lines: list[dict[str, Any]] = tx.info.setdefault(_LINES, [])
    lines.append(
        {"project_id": run.project_id, "run_id": run.id, "at": now, "step": step, "what": what, "detail": detail}
    )


async def write_down(tx: AsyncSession) -> None:
    """Writes what was said in this transaction, in one statement."""
    if lines := tx.info.pop(_LINES, None):
        await tx.execute(insert(RunEvent), lines)
