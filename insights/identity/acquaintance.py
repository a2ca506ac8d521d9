"""Who a visitor is, for people to look at: the person's devices, the names they go by, and the links that were refused.

Names are masked: who may look at visits need not be able to write to the visitors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from insights.errors import NotFound
from insights.identity.links import Kind
from insights.identity.masks import mask
from insights.identity.together import person_id_of, person_of
from insights.models import IdentityLink, Session, Visitor

MOST_LINKS: Final = 500
"""Links of one kind that are read: nobody looks at more."""

REASONS: Final = {
    "two_users": "It would make one person of two customers.",
    "shared": "Too many go by it: it is nobody's.",
    "too_many": "More hangs on it than on any person.",
}


@dataclass(frozen=True, slots=True)
class Device:
    """One visitor of a person. ``client`` is what the browser said of itself in its latest closed session."""

    visitor_id: UUID
    first_seen_at: datetime
    last_seen_at: datetime | None
    sessions: int
    client: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Identifier:
    """A name the person goes by. ``value`` is masked; ``devices`` are the visitors that said it themselves."""

    kind: str
    value: str
    first_at: datetime
    devices: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class RefusedLink:
    """A link that is not followed, and why: two_users, shared or too_many. Names are masked.

    ``users``: the customer on the subject's side and the one on the name's, where there are two.
    """

    subject_kind: str
    subject: str
    name_kind: str
    name: str
    why: str
    users: tuple[str, str] | None
    first_at: datetime
    session_id: UUID | None

    @property
    def explanation(self) -> str:
        return REASONS.get(self.why, self.why)


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """``person_id`` is the visitor who was linked first. ``devices`` in the order in which they were first seen."""

    visitor_id: UUID
    person_id: UUID
    devices: tuple[Device, ...]
    identifiers: tuple[Identifier, ...]
    refused: tuple[RefusedLink, ...]

    @property
    def visitors(self) -> tuple[UUID, ...]:
        return tuple(device.visitor_id for device in self.devices)


async def read_acquaintance(tx: AsyncSession, project_id: UUID, visitor_id: UUID) -> Acquaintance:
    """What is known of who a visitor is. Raises NotFound."""
    visitors = await person_of(tx, project_id, visitor_id)
    devices = await _devices(tx, project_id, visitors)
    if visitor_id not in {device.visitor_id for device in devices}:
        raise NotFound(f"There is no visitor {visitor_id} in this project. One exists once an event of it was stored.")
    links = await _links(tx, project_id, visitors)
    return Acquaintance(
        visitor_id,
        await person_id_of(tx, project_id, visitor_id),
        devices,
        tuple(_identifiers(link for link in links if link.refused is None)),
        tuple(_refused(link) for link in links if link.refused is not None),
    )


async def _devices(tx: AsyncSession, project_id: UUID, visitors: Collection[UUID]) -> tuple[Device, ...]:
    theirs = (Session.project_id == project_id, Session.visitor_id.in_(visitors))
    counted = {
        row[0]: (row[1], row[2])
        for row in await tx.execute(
            select(Session.visitor_id, func.count(), func.max(Session.last_event_at))
            .where(*theirs)
            .group_by(Session.visitor_id)
        )
    }
    clients = {
        row[0]: row[1]
        for row in await tx.execute(
            select(Session.visitor_id, Session.client)
            .where(*theirs, Session.client != {})
            .ext(distinct_on(Session.visitor_id))
            .order_by(Session.visitor_id, Session.id.desc())
        )
    }
    known = await tx.execute(
        select(Visitor.id, Visitor.first_seen_at)
        .where(Visitor.project_id == project_id, Visitor.id.in_(visitors))
        .order_by(Visitor.first_seen_at, Visitor.id)
    )
    devices = []
    for visitor_id, first_seen_at in known:
        count, last_seen_at = counted.get(visitor_id, (0, None))
        devices.append(Device(visitor_id, first_seen_at, last_seen_at, count, clients.get(visitor_id, {})))
    return tuple(devices)


async def _links(tx: AsyncSession, project_id: UUID, visitors: Sequence[UUID]) -> list[IdentityLink]:
    """What the visitors said, what their names say, and what others said of their names that was refused."""
    ids = [str(visitor) for visitor in visitors]
    said = await _read(tx, project_id, _from(Kind.VISITOR, ids) | _to(Kind.VISITOR, ids))
    users = [link.name for link in said if link.name_kind == Kind.USER_ID and link.refused is None]
    # A customer whom only an address leads to.
    names = {(link.name_kind, link.name) for link in said if link.refused is None and link.name_kind != Kind.VISITOR}
    if others := [_to(kind, [name]) for kind, name in sorted(names)]:
        of_names = await _read(tx, project_id, or_(*others))
        users += [link.subject for link in of_names if link.subject_kind == Kind.USER_ID and link.refused is None]
        said += [link for link in of_names if link.refused is not None]
    if users:
        of_users = await _read(tx, project_id, _from(Kind.USER_ID, sorted(set(users))))
        said += of_users
        own = {(link.name_kind, link.name) for link in of_users if link.refused is None} - names
        if more := [_to(kind, [name]) for kind, name in sorted(own)]:
            said += [link for link in await _read(tx, project_id, or_(*more)) if link.refused is not None]
    unique = {(link.subject_kind, link.subject, link.name_kind, link.name): link for link in said}
    return sorted(unique.values(), key=lambda link: (link.first_at, link.event_id, link.name))


def _from(kind: Kind, values: list[str]) -> ColumnElement[bool]:
    return and_(IdentityLink.subject_kind == kind, IdentityLink.subject.in_(values))


def _to(kind: str, values: list[str]) -> ColumnElement[bool]:
    return and_(IdentityLink.name_kind == kind, IdentityLink.name.in_(values))


async def _read(tx: AsyncSession, project_id: UUID, which: ColumnElement[bool]) -> list[IdentityLink]:
    rows = await tx.scalars(
        select(IdentityLink)
        .where(IdentityLink.project_id == project_id, which)
        .order_by(IdentityLink.first_at)
        .limit(MOST_LINKS)
    )
    return list(rows.all())


def _identifiers(links: Iterable[IdentityLink]) -> list[Identifier]:
    found: dict[tuple[str, str], list[IdentityLink]] = {}
    for link in links:
        # A former id that was no customer's is no name of anybody.
        if link.name_kind != Kind.VISITOR and link.subject_kind != link.name_kind:
            found.setdefault((link.name_kind, link.name), []).append(link)
    order = [Kind.USER_ID, Kind.EMAIL, Kind.PHONE]
    return [
        Identifier(
            kind,
            mask(kind, name),
            min(link.first_at for link in said),
            tuple(UUID(link.subject) for link in said if link.subject_kind == Kind.VISITOR),
        )
        for (kind, name), said in sorted(found.items(), key=lambda item: (order.index(Kind(item[0][0])), item[0][1]))
    ]


def _refused(link: IdentityLink) -> RefusedLink:
    users = link.refused_users
    return RefusedLink(
        link.subject_kind,
        mask(link.subject_kind, link.subject),
        link.name_kind,
        mask(link.name_kind, link.name),
        str(link.refused),
        (mask(Kind.USER_ID, users[0]), mask(Kind.USER_ID, users[1])) if users else None,
        link.first_at,
        link.session_id,
    )
