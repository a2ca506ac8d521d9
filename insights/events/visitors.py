"""Writes down what visitors said of themselves in a flush: their names, and what they agreed to, one statement each.

Of each name what was said last counts, whatever was heard of last. Of two that were said in the same millisecond the
greater one counts, so that the order of arrival leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.personal import Ring, ring_of
from insights.events.people import Said
from insights.events.subscriptions import without_subscription

NAMES: Final = ("user_id", "email", "phone", "traits")
CONSENT: Final = ("analytics", "marketing", "channels", "version", "text_id")

_encode = msgspec.json.Encoder().encode


_IDENTIFY = text("""
WITH said AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS said(
        id uuid, at timestamptz, user_id text, user_id_at timestamptz, email text, email_at timestamptz,
        phone text, phone_at timestamptz, traits jsonb, traits_at timestamptz)
), news AS (
    SELECT v.id, said.at, said.user_id, said.user_id_at, said.email, said.email_at, said.phone, said.phone_at,
           said.traits, said.traits_at,
           (COALESCE(v.said_at->>'user_id', '-infinity')::timestamptz, v.user_id COLLATE "C")
               <= (said.user_id_at, said.user_id) AS new_user_id,
           (COALESCE(v.said_at->>'email', '-infinity')::timestamptz, v.email COLLATE "C")
               <= (said.email_at, said.email) AS new_email,
           (COALESCE(v.said_at->>'phone', '-infinity')::timestamptz, v.phone COLLATE "C")
               <= (said.phone_at, said.phone) AS new_phone,
           (COALESCE(v.said_at->>'traits', '-infinity')::timestamptz, v.traits)
               <= (said.traits_at, said.traits) AS new_traits
    FROM said JOIN visitor v ON v.project_id = :project AND v.id = said.id
)
UPDATE visitor SET
    user_id = CASE WHEN new_user_id THEN news.user_id ELSE visitor.user_id END,
    email = CASE WHEN new_email THEN news.email ELSE visitor.email END,
    phone = CASE WHEN new_phone THEN news.phone ELSE visitor.phone END,
    traits = CASE WHEN new_traits THEN news.traits ELSE visitor.traits END,
    said_at = visitor.said_at || jsonb_strip_nulls(jsonb_build_object(
        'user_id', CASE WHEN new_user_id THEN user_id_at END, 'email', CASE WHEN new_email THEN email_at END,
        'phone', CASE WHEN new_phone THEN phone_at END, 'traits', CASE WHEN new_traits THEN traits_at END)),
    identified_at = GREATEST(visitor.identified_at, news.at)
FROM news WHERE visitor.project_id = :project AND visitor.id = news.id
""")

_CONSENT = text("""
UPDATE visitor SET consent = said.consent, consented_at = said.at
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS said(id uuid, at timestamptz, consent jsonb)
WHERE visitor.project_id = :project AND visitor.id = said.id
    AND (visitor.consented_at IS NULL OR visitor.consented_at <= said.at)
""")


# Every one is kept, whatever holds now: it must be shown later what was agreed to, and to which text.
_CONSENTED = text("""
INSERT INTO consent (project_id, visitor_id, event_id, said_at, received_at, analytics, marketing, channels, version,
                     text_id)
SELECT :project, visitor_id, event_id, said_at, received_at, analytics, marketing, channels, version, text_id
FROM json_to_recordset(CAST(:rows AS json)) AS said(
    visitor_id uuid, event_id uuid, said_at timestamptz, received_at timestamptz, analytics boolean,
    marketing boolean, channels jsonb, version text, text_id text)
ON CONFLICT DO NOTHING
""")


async def write_said(tx: AsyncSession, project_id: UUID, said: Iterable[Said]) -> None:
    """Brings the visitors' rows up to date. The caller's transaction has written or locked these rows already."""
    said = sorted(said, key=lambda one: (one.at, one.event.id))
    names: dict[UUID, dict[str, Any]] = {}
    consent: dict[UUID, dict[str, Any]] = {}
    consents: list[dict[str, Any]] = []
    ring = ring_of(tx)
    for one in said:
        if one.event.type == "identified" and any(name in one.event.props for name in NAMES):
            _merge(names.setdefault(one.visitor_id, {"id": one.visitor_id}), one.event.props, one.at, ring)
        elif one.event.type == "consent_changed":
            given: dict[str, Any] = {name: one.event.props[name] for name in CONSENT if name in one.event.props}
            consent[one.visitor_id] = {"id": one.visitor_id, "at": one.at, "consent": given}
            consents.append(
                {
                    "visitor_id": one.visitor_id,
                    "event_id": one.event.id,
                    "said_at": one.at,
                    "received_at": one.received_at,
                    **given,
                }
            )
    told = ((_IDENTIFY, list(names.values())), (_CONSENT, list(consent.values())), (_CONSENTED, consents))
    for statement, rows in told:
        if rows:
            await tx.execute(statement, {"project": project_id, "rows": _encode(rows).decode()})


def _merge(row: dict[str, Any], props: dict[str, Any], at: datetime, ring: Ring) -> None:
    """Adds an identification to those of the same visitor that were said before it."""
    row["at"] = at
    for name in NAMES:
        value = props.get(name)
        if name == "traits" and isinstance(value, dict):
            value = without_subscription(value)
        value = _sealed(name, value, ring)
        if not value or (row.get(f"{name}_at") == at and name != "traits" and row[name] > value):
            continue
        row[name] = value
        row[f"{name}_at"] = at


def _sealed(name: str, value: Any, ring: Ring) -> Any:
    """As the visitor's row keeps it. Compared sealed, so that it is compared as PostgreSQL does."""
    if name == "traits":
        return ring.seal_json(value)
    return value if not value or (name == "user_id" and "@" not in value) else ring.seal(value)
