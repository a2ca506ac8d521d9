"""Statements that are planned anew each time, for what they are given and for their tables as they are.

A connection prepares what it runs often, and PostgreSQL then keeps one plan until the table is analysed. To a plan that
was made when the table was empty one index is as good as another: while the table grows it reads all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.engine.interfaces import DBAPICursor

PLANNED_ANEW: Final[Mapping[str, Any]] = MappingProxyType({"planned_anew": True})
"""The execution options of such a statement. Planning costs it about half a millisecond."""


def plan_anew(engine: Engine) -> None:
    """Heeds these options on an engine of psycopg."""

    @event.listens_for(engine, "do_execute")
    def execute(cursor: DBAPICursor, statement: str, parameters: Any, context: DefaultExecutionContext) -> bool:
        if not context.execution_options.get("planned_anew"):
            return False
        connection: Any = context.root_connection.connection.driver_connection
        threshold, connection.prepare_threshold = connection.prepare_threshold, None
        try:
            cursor.execute(statement, parameters)
        finally:
            connection.prepare_threshold = threshold
        return True
