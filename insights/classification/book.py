"""The book on a model: answers it has given, and what it may still cost a project today."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import select, text

from adapters.llm.port import Usage
from adapters.postgres.engine import Database
from insights.models import Insight

_RESERVE = text("""
INSERT INTO model_spend (project_id, day, cost_micros) VALUES (:project, :day, :cost)
ON CONFLICT (project_id, day) DO UPDATE SET cost_micros = model_spend.cost_micros + excluded.cost_micros
WHERE model_spend.cost_micros + excluded.cost_micros <= :ceiling
RETURNING cost_micros
""")
_SETTLE = text("""
INSERT INTO model_spend (project_id, day, calls, tokens_in, tokens_out, cost_micros)
VALUES (:project, :day, :calls, :tokens_in, :tokens_out, :cost)
ON CONFLICT (project_id, day) DO UPDATE SET
    calls = model_spend.calls + excluded.calls,
    tokens_in = model_spend.tokens_in + excluded.tokens_in,
    tokens_out = model_spend.tokens_out + excluded.tokens_out,
    cost_micros = model_spend.cost_micros + excluded.cost_micros
""")


class Book(Protocol):
    """Where a classifier looks up answers and accounts for questions."""

    async def known(self, project_id: UUID, key: str) -> dict[str, Any] | None:
        """The answer that this question got before in this project."""

    async def reserve(self, project_id: UUID, cost_micros: int, ceiling_micros: int) -> datetime | None:
        """Sets money aside for a question; the time of it, or None when the day's ceiling would be passed."""

    async def settle(
        self, project_id: UUID, at: datetime | None, usage: Usage, cost_micros: int, reserved_micros: int
    ) -> None:
        """Writes down what a question took, in place of what was reserved at ``at``."""


class AnswerBook:
    """The book in PostgreSQL: answers stand with their insights, the day's account is one row a project."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def known(self, project_id: UUID, key: str) -> dict[str, Any] | None:
        async with self._database.transaction(project_id) as tx:
            return await tx.scalar(
                select(Insight.answer)
                .where(Insight.project_id == project_id, Insight.question_key == key, Insight.answer.is_not(None))
                .order_by(Insight.created_at.desc())
                .limit(1)
            )

    async def reserve(self, project_id: UUID, cost_micros: int, ceiling_micros: int) -> datetime | None:
        # The first question of a day meets no row to compare with.
        if cost_micros > ceiling_micros:
            return None
        now = self._clock()
        async with self._database.transaction(project_id) as tx:
            row = await tx.execute(
                _RESERVE,
                {"project": project_id, "day": now.date(), "cost": cost_micros, "ceiling": ceiling_micros},
            )
            return now if row.first() is not None else None

    async def settle(
        self, project_id: UUID, at: datetime | None, usage: Usage, cost_micros: int, reserved_micros: int
    ) -> None:
        async with self._database.transaction(project_id) as tx:
            await tx.execute(
                _SETTLE,
                {
                    "project": project_id,
                    "day": (at or self._clock()).date(),
                    "calls": usage.calls,
                    "tokens_in": usage.tokens_in,
                    "tokens_out": usage.tokens_out,
                    "cost": cost_micros - reserved_micros,
                },
            )
