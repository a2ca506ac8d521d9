"""Another project with one of everything, told apart from any other by words that stand nowhere else.

Tables are filled from the models, so that a new table is covered without being named here. Where a made-up row makes no
sense to the code that reads it, ``SENSIBLE`` says what does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4, uuid5

from sqlalchemy import ARRAY, CheckConstraint, Column, Integer, Table, TypeDecorator, insert, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as insert_new

import flows.models  # noqa: F401
from adapters.postgres.base import Base
from adapters.postgres.engine import Database
from insights.access import members
from insights.access.roles import Role
from insights.vocabulary.ids import uuid7

NOW = datetime.now(UTC)

PLAN: dict[str, Any] = {
    "name": "remind",
    "trigger": {"on": "insight", "kind": "abandoned"},
    "start": "pause",
    "steps": {"pause": {"do": "wait", "for": "PT1H"}},
}

OF_OTHER_TABLES = {
    "flow_id": "flow",
    "version_id": "flow_version",
    "run_id": "flow_run",
    "segment_id": "segment",
    "policy_id": "policy",
    "message_id": "message",
    "insight_id": "insight",
    "decision_id": "decision",
    "subscription_id": "subscription",
}
"""Columns that hold the id of a row of another table."""

SENSIBLE: dict[str, dict[str, Any]] = {
    "api_key": {},
    "decision": {"action": "discount_popup", "probabilities": {"discount_popup": 1.0}, "held_back": None},
    "flow_version": {"definition": PLAN},
    "flow_draft": {"document": PLAN, "definition": PLAN},
    "flow_run": {"status": "done"},
    "insight": {"reason": "technical_error", "evidence": [], "suggested_actions": [], "classifier": "evidence-1"},
    "insight_feedback": {"said": "right", "reason": "technical_error"},
    "login": {"key_id": None},
    "live_action": {"action": "discount_popup", "stages": ["cart_adder"]},
    "subscription": {"secret": None, "report": None},
    "pattern": {"end_reason": None, "reason": "technical_error", "also": [], "session_ids": []},
    "policy": {"role": "challenger", "settings": {}},
    "notice": {"status": "accepted"},
    "delivery": {"status": "accepted"},
    "privacy_setting": {"extra_fields": []},
    "privacy_request": {"kind": "export_person", "who": {}, "done_at": NOW},
    "provider_erasure": {"status": "failed", "who": {"emails": [], "phones": [], "user_ids": []}},
    "segment": {"condition": None},
    "session": {
        "closed_at": NOW,
        "kind": None,
        "reason": None,
        "close_reason": "ended",
        "stage": "browser",
        "paths": [],
    },
    "visitor": {"traits": {}, "consent": {}, "user_id": None, "phone": None},
}
"""Columns whose made-up value would make no sense. ``api_key``, ``member`` and what hangs on it are made for real."""

MADE_FOR_REAL = ("api_key", "membership", "invitation", "audit_entry", "webhook_source")


@dataclass(frozen=True)
class Neighbour:
    """A project and the ids of what it has. ``word`` stands in every text; names are asked for and are not secret."""

    project_id: UUID
    word: str
    ids: dict[str, UUID] = field(default_factory=dict)
    """By table."""
    parameters: dict[str, str] = field(default_factory=dict)
    """What the parameters of paths, queries and bodies are filled with."""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When all that it has was made: nothing of it is due yet."""

    @property
    def secrets(self) -> list[str]:
        """What no other project may ever be told."""
        return [self.word, *(str(one) for one in self.ids.values())]


async def fill(
    database: Database,
    project_id: UUID,
    *,
    same_ids_as: Neighbour | None = None,
    furnished: bool = False,
    said: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Neighbour:
    """Gives a project one row in each table of its own. ``same_ids_as``: with the ids of another project's rows.

    ``furnished``: the project has rows already; where there is room for one only, its own stays. ``said``: table →
    column → what stands there instead of something made up.
    """
    made = Neighbour(project_id, f"leak{uuid4().hex}")
    space = uuid4()
    for table in Base.metadata.sorted_tables:
        made.ids[table.name] = uuid7() if table.name in ("session", "event") else uuid5(space, table.name)
    if same_ids_as is not None:
        made.ids.update(same_ids_as.ids)
    async with database.transaction(project_id) as tx:
        invitation, _ = await members.invite(tx, project_id, f"{made.word}@example.org", Role.READER, made.at)
        made.ids["invitation"] = invitation.id
        _, link = await members.invite(tx, project_id, f"admin-{made.word}@example.org", Role.ADMIN, made.at)
    async with database.transaction(None) as tx:
        admin, _ = await members.invitation_of(tx, link, made.at)
        made.ids["member"] = await members.accept(tx, admin, None, made.at)
    async with database.transaction(project_id) as tx:
        key = (await tx.execute(text("SELECT id FROM api_key WHERE kind = 'secret' LIMIT 1"))).scalar_one()
        made.ids["api_key"] = key
        source_id = made.ids["webhook_source"]
        await tx.execute(
            insert(Base.metadata.tables["webhook_source"]).values(
                project_id=project_id, id=source_id, provider="generic", name=made.word, sealed=b"x", created_at=made.at
            )
        )
        for table in Base.metadata.sorted_tables:
            if "project_id" in table.c and table.name not in MADE_FOR_REAL:
                row = insert_new(table).values(_row(table, made) | said.get(table.name, {}))
                await tx.execute(row.on_conflict_do_nothing() if furnished else row)
        rejected = await tx.scalar(select(Base.metadata.tables["rejected_event"].c.id))
    ids = {name: str(value) for name, value in made.ids.items()}
    made.parameters.update(
        channel_id=ids["channel"],
        code=_named(made, "code"),
        delivery_id=ids["delivery"],
        entry_id=ids["live_action"],
        erasure_id=ids["provider_erasure"],
        fingerprint=_named(made, "fingerprint"),
        flow=ids["flow"],
        flow_id=ids["flow"],
        invitation_id=ids["invitation"],
        key_id=ids["api_key"],
        actor_id=ids["api_key"],
        member_id=ids["member"],
        name=_named(made, "name"),
        segment=_named(made, "name"),
        message=_named(made, "name"),
        number="1",
        pattern_id=ids["pattern"],
        policy_id=ids["policy"],
        rejected_id=str(rejected),
        request_id=ids["privacy_request"],
        run_id=ids["flow_run"],
        run=ids["flow_run"],
        secret_id=ids["identity_secret"],
        session=ids["session"],
        session_id=ids["session"],
        source_id=ids["webhook_source"],
        subscription_id=ids["subscription"],
        visitor=ids["visitor"],
        visitor_id=ids["visitor"],
    )
    return made


def _row(table: Table, made: Neighbour) -> dict[str, Any]:
    row: dict[str, Any] = {}
    choices = _choices(table)
    sensible = SENSIBLE.get(table.name, {})
    for column in table.c:
        if column.name in sensible:
            row[column.name] = sensible[column.name]
        elif column.name in choices:
            row[column.name] = choices[column.name]
        elif column.identity is None:
            row[column.name] = _value(table, column, made)
    return row


def _value(table: Table, column: Column[Any], made: Neighbour) -> Any:
    name, kind = column.name, column.type
    if isinstance(kind, TypeDecorator):
        kind = kind.impl_instance  # sealed, or not, when it is written
    if name == "project_id":
        return made.project_id
    if name in ("id", "session_id", "visitor_id", "member_id") or name in OF_OTHER_TABLES:
        of = table.name if name == "id" else OF_OTHER_TABLES.get(name, name.removesuffix("_id"))
        if isinstance(kind, Integer):
            return 1
        return made.ids[of] if kind.python_type is UUID else str(made.ids[of])
    if isinstance(kind, ARRAY):
        return [made.word] if kind.item_type.python_type is str else []
    if isinstance(kind, JSONB):
        return (
            [] if column.server_default is not None and "[]" in str(getattr(column.server_default, "arg", "")) else {}
        )
    if kind.python_type is str:
        return _named(made, name) if name in ("name", "code", "fingerprint") else made.word
    if kind.python_type is datetime:
        return None if column.nullable else made.at
    known: dict[type, Any] = {UUID: None if column.nullable else uuid4(), bytes: uuid4().bytes, date: made.at.date()}
    return known.get(kind.python_type, 1 if kind.python_type in (int, float) else False)


def _choices(table: Table) -> dict[str, Any]:
    """The first of the values that a check constraint lists for a column."""
    found: dict[str, Any] = {}
    for constraint in table.constraints:
        if isinstance(constraint, CheckConstraint):
            for name, value in re.findall(r"(\w+) IN \('([^']+)'", str(constraint.sqltext)):
                found.setdefault(name, value)
    return found


def _named(made: Neighbour, kind: str) -> str:
    # Asked for by name, so it is echoed; it must not be taken for what stands behind it.
    return f"{kind[0]}{made.word.removeprefix('leak')[:20]}"


def snapshot(tables: list[str]) -> str:
    """SQL for a fingerprint of every row of a project: :project is its id."""
    parts = [
        f"SELECT '{table}', md5(COALESCE(string_agg(t::text, '|' ORDER BY t::text), ''))"  # noqa: S608
        f" FROM {table} t WHERE project_id = :project"
        for table in tables
    ]
    return " UNION ALL ".join(parts)
