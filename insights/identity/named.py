"""Finds the visitors who go by a name: a user id, an address or a number in any spelling."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from insights.identity import names
from insights.models import IdentityLink


async def visitors_named(
    tx: AsyncSession,
    project_id: UUID,
    *,
    user_id: str | None = None,
    email: str | None = None,
    phone: str | None = None,
    refused_too: bool = False,
) -> set[UUID]:
    """Visitors whose links lead to one of these names. ``refused_too``: also by links that make nobody one person."""
    spelled = {
        ("user_id", names.user_id(user_id)),
        ("email", names.email(email)),
        ("phone", names.phone(phone)),
    }
    conditions = [
        (IdentityLink.name_kind == kind) & (IdentityLink.name == value) for kind, value in spelled if value is not None
    ]
    if not conditions:
        return set()
    believed: ColumnElement[bool] = true() if refused_too else IdentityLink.refused.is_(None)
    said = await tx.execute(
        select(IdentityLink.subject_kind, IdentityLink.subject).where(
            IdentityLink.project_id == project_id, or_(*conditions), believed
        )
    )
    subjects = [(kind, subject) for kind, subject in said]
    found = {UUID(subject) for kind, subject in subjects if kind == "visitor"}
    # An address may be known as the customer's alone, and the customer by their devices.
    if customers := [subject for kind, subject in subjects if kind == "user_id"]:
        devices = await tx.scalars(
            select(IdentityLink.subject).where(
                IdentityLink.project_id == project_id,
                IdentityLink.subject_kind == "visitor",
                IdentityLink.name_kind == "user_id",
                IdentityLink.name.in_(customers),
                believed,
            )
        )
        found |= {UUID(subject) for subject in devices}
    return found
