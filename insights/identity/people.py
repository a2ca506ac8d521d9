"""Divides visitors and names into people. Pure, and a function of the links alone, whatever order they came in.

Links are followed from the strongest kind to the weakest, within a kind by when they were first said. One that would
bring two customers together is refused, so a shared address never does what a login would not. What a node says or is
said of too often belongs to nobody: a till, a call centre, "info@".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from insights.identity.links import Key, Kind, Link, Node

MOST_SAID: Final = 25
"""A visitor or customer who goes by more names than this is many people."""
MOST_SAID_BY: Final = 200
"""A name that more visitors or customers than this go by is nobody's."""

_STRENGTH: Final = {
    (Kind.VISITOR, Kind.USER_ID): 0,
    (Kind.VISITOR, Kind.VISITOR): 1,
    (Kind.USER_ID, Kind.EMAIL): 2,
    (Kind.USER_ID, Kind.PHONE): 3,
    (Kind.VISITOR, Kind.EMAIL): 4,
    (Kind.VISITOR, Kind.PHONE): 5,
    (Kind.USER_ID, Kind.USER_ID): 6,
}


class Why(StrEnum):
    """Why a link is not followed."""

    TWO_USERS = "two_users"
    SHARED = "shared"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class Refusal:
    """``users``: the customer on the subject's side and the one on the name's side, where there are two."""

    why: Why
    users: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """``visitors`` in the order of their ids, at least one. ``id`` is the one who was linked first: it stays as
    others join."""

    id: UUID
    visitors: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Division:
    """The people, and the links that were refused."""

    people: tuple[Person, ...]
    refused: Mapping[Key, Refusal]


def divide(links: Collection[Link], shared: Collection[Node] = ()) -> Division:
    """Divides the nodes of ``links``, each said once. ``shared`` are known to be nobody's beyond what is counted
    here."""
    nobody = set(shared) | _shared(links)
    parent: dict[Node, Node] = {node: node for link in links for node in link.key}
    user: dict[Node, str] = {node: node.value for node in parent if node.kind is Kind.USER_ID}
    # A former id that nobody ever logged in with was not a customer's.
    customers = {node for link in links if link.subject.kind is not link.name.kind for node in link.key}
    refused: dict[Key, Refusal] = {}
    for link in sorted(links, key=_order):
        if link.subject in nobody or link.name in nobody:
            refused[link.key] = Refusal(Why.SHARED)
            continue
        if link.subject.kind is link.name.kind is Kind.USER_ID:
            if link.name in customers:
                refused[link.key] = Refusal(Why.TWO_USERS, (link.subject.value, link.name.value))
            continue
        one, other = _root(parent, link.subject), _root(parent, link.name)
        if one == other:
            continue
        users = user.get(one), user.get(other)
        if users[0] is not None and users[1] is not None:
            refused[link.key] = Refusal(Why.TWO_USERS, (users[0], users[1]))
            continue
        parent[other] = one
        if users[1] is not None:
            user[one] = users[1]
    first = _first_linked(links)
    parts: dict[Node, list[Node]] = {}
    for visitor in sorted(first):
        parts.setdefault(_root(parent, visitor), []).append(visitor)
    people = [
        Person(UUID(min(nodes, key=lambda node: (first[node], node)).value), tuple(UUID(node.value) for node in nodes))
        for nodes in parts.values()
    ]
    return Division(tuple(people), refused)


def _order(link: Link) -> tuple[int, datetime, Node, Node]:
    return _STRENGTH[link.subject.kind, link.name.kind], link.first_at, link.subject, link.name


def _shared(links: Iterable[Link]) -> set[Node]:
    says: dict[Node, int] = {}
    said_by: dict[Node, int] = {}
    for link in links:
        says[link.subject] = says.get(link.subject, 0) + 1
        said_by[link.name] = said_by.get(link.name, 0) + 1
    return {node for node, count in says.items() if count > MOST_SAID} | {
        node for node, count in said_by.items() if count > MOST_SAID_BY
    }


def _root(parent: dict[Node, Node], node: Node) -> Node:
    while parent[node] != node:
        parent[node] = node = parent[parent[node]]
    return node


def _first_linked(links: Iterable[Link]) -> dict[Node, datetime]:
    first: dict[Node, datetime] = {}
    for link in links:
        for node in link.key:
            if node.kind is Kind.VISITOR:
                first[node] = min(first.get(node, link.first_at), link.first_at)
    return first
