"""Links: what was said of who belongs together. They are only added, so the order they arrive in leaves no trace.

Whoever logs in says two things: this visitor is that customer, and that customer has this address. Kept apart, they
stay true where the first one is refused: a second customer at the same browser keeps their own address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from insights.identity import names


class Kind(StrEnum):
    """What a node is: a browser, or one of the names a person goes by."""

    VISITOR = "visitor"
    USER_ID = "user_id"
    EMAIL = "email"
    PHONE = "phone"


class Node(NamedTuple):
    """One visitor (``value`` is its UUID as text) or one name in its one spelling."""

    kind: Kind
    value: str


class Key(NamedTuple):
    """A link's two ends: ``subject`` (a visitor or a customer) goes by ``name`` (or is the same as that visitor)."""

    subject: Node
    name: Node


@dataclass(frozen=True, slots=True)
class Link:
    """``subject`` goes by ``name``: said first at ``first_at`` by the event ``event_id``."""

    subject: Node
    name: Node
    first_at: datetime
    event_id: UUID
    session_id: UUID | None = None

    @property
    def key(self) -> Key:
        return Key(self.subject, self.name)

    @property
    def said(self) -> tuple[datetime, UUID]:
        """When and by what: the smaller one is kept where a link is said twice."""
        return self.first_at, self.event_id


def visitor_node(visitor_id: UUID) -> Node:
    """The node of a visitor."""
    return Node(Kind.VISITOR, str(visitor_id))


def links_said(
    visitor_id: UUID, props: Mapping[str, object], *, at: datetime, event_id: UUID, session_id: UUID | None
) -> list[Link]:
    """The links in one identification: ``user_id``, ``email`` and ``phone`` of ``props``; what names nobody is left
    out. ``previous_id`` says that the customer went by that id before (an alias)."""
    user, email, phone = (
        names.user_id(props.get("user_id")),
        names.email(props.get("email")),
        names.phone(props.get("phone")),
    )
    visitor = visitor_node(visitor_id)
    owner = visitor if user is None else Node(Kind.USER_ID, user)
    keys: list[Key] = []
    if user is not None:
        keys.append(Key(visitor, owner))
    if email is not None:
        keys.append(Key(owner, Node(Kind.EMAIL, email)))
    if phone is not None:
        keys.append(Key(owner, Node(Kind.PHONE, phone)))
    previous = names.user_id(props.get("previous_id"))
    if user is not None and previous is not None and previous != user:
        # Never followed. It is there to be refused, and seen, if the former id is another customer's.
        keys.append(Key(owner, Node(Kind.USER_ID, previous)))
    return [Link(key.subject, key.name, at, event_id, session_id) for key in keys]


def link_of_visitors(one: UUID, other: UUID, *, at: datetime, event_id: UUID) -> Link:
    """The link that says that two visitors are one person. Which is named first makes no difference."""
    first, second = sorted((one, other))
    return Link(visitor_node(first), visitor_node(second), at, event_id)


def said_together(links: Iterable[Link]) -> dict[Key, Link]:
    """The links by their ends; of one that was said twice, the first time."""
    known: dict[Key, Link] = {}
    for link in links:
        other = known.get(link.key)
        known[link.key] = link if other is None else min(other, link, key=lambda one: one.said)
    return known
