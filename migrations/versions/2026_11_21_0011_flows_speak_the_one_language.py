"""Conditions of published flows in the one condition language.

A fact that has no field keeps its name: such a check is unknown, as a missing fact was false.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

FIELDS = {"cart.count": "cart.items", "visitor.email": "visitor.has_email", "visitor.known": "visitor.identified"}
FACTS = {field: fact for fact, field in FIELDS.items()}
ONLY_NEW = {"known": "exists"}
ONLY_OLD = {"exists": "known"}


def upgrade() -> None:
    _rewrite(_new)


def downgrade() -> None:
    _rewrite(_old)


def _rewrite(change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    connection = op.get_bind()
    for (project,) in connection.execute(sa.text("SELECT id FROM project")).all():
        # Row-level security holds for the owner too.
        connection.execute(sa.text("SELECT set_config('whyleft.project_id', :id, true)"), {"id": str(project)})
        rows = connection.execute(sa.text("SELECT id, definition FROM flow_version")).all()
        for identifier, definition in rows:
            changed = _flow(definition, change)
            if changed != definition:
                connection.execute(
                    sa.text("UPDATE flow_version SET definition = CAST(:body AS jsonb) WHERE id = :id"),
                    {"body": json.dumps(changed), "id": identifier},
                )
    connection.execute(sa.text("SELECT set_config('whyleft.project_id', '', true)"))


def _flow(definition: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    steps = {name: _with(step, change) for name, step in definition.get("steps", {}).items()}
    return {**definition, "trigger": _with(definition.get("trigger", {}), change), "steps": steps}


def _with(part: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    return {**part, "when": _condition(part["when"], change)} if part.get("when") else part


def _condition(when: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    for group in ("all", "any"):
        if group in when:
            return {group: [_condition(one, change) for one in when[group]]}
    inner = when.get("not") or when.get("not_")
    return {"not": _condition(inner, change)} if inner else change(when)


def _new(check: dict[str, Any]) -> dict[str, Any]:
    if "fact" not in check:
        return check
    made = {"field": FIELDS.get(check["fact"], check["fact"]), "op": ONLY_OLD.get(check["op"], check["op"])}
    return made | ({} if check.get("value") is None else {"value": check["value"]})


def _old(check: dict[str, Any]) -> dict[str, Any]:
    if "field" not in check:
        return check
    fact = FACTS.get(check["field"], check["field"])
    return {"fact": fact, "op": ONLY_NEW.get(check["op"], check["op"]), "value": check.get("value")}
