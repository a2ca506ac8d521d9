"""Reads what is connected with some nodes, and holds it: until the transaction ends nobody else links any of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.personal import ring_of
from insights.identity.links import Key, Kind, Link, Node
from insights.identity.people import MOST_SAID, MOST_SAID_BY, Refusal, Why

STRIPES: Final = 1024
"""Locks in a project: a batch with thousands of addresses must not fill the server's table of locks."""
MOST_LINKS: Final = 2_000
MOST_STEPS: Final = 40
"""More links than that, or a longer chain of them, is no person: somebody plays with the public key."""

# An array keeps its order: everybody takes the smallest first, so nobody waits in a circle.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(name, 3)) FROM unnest(CAST(:names AS text[])) AS name")

# A link that was refused because an end of it is nobody's stays refused: that is never walked again.
_AROUND = text("""
SELECT n.kind, n.value, d.says, d.said_by, l.subject_kind, l.subject, l.name_kind, l.name, l.first_at, l.event_id,
       l.session_id, l.refused, l.refused_users
FROM jsonb_to_recordset(CAST(:nodes AS jsonb)) AS n(kind text, value text)
CROSS JOIN LATERAL (SELECT
    (SELECT count(*) FROM (SELECT FROM identity_link
        WHERE project_id = :project AND subject_kind = n.kind AND subject = n.value LIMIT :most_said) AS a) AS says,
    (SELECT count(*) FROM (SELECT FROM identity_link
        WHERE project_id = :project AND name_kind = n.kind AND name = n.value LIMIT :most_said_by) AS b) AS said_by
) AS d
LEFT JOIN LATERAL (
    SELECT * FROM identity_link
    WHERE project_id = :project AND subject_kind = n.kind AND subject = n.value
        AND (refused IS NULL OR refused = 'two_users')
    UNION ALL
    SELECT * FROM identity_link
    WHERE project_id = :project AND name_kind = n.kind AND name = n.value
        AND (refused IS NULL OR refused = 'two_users')
) AS l ON true
""")


class TooMany(Exception):
    """More is connected with this than with any person."""


@dataclass(frozen=True, slots=True)
class Closure:
    """Everything connected with what was asked for. ``shared`` are the nodes that are nobody's, ``refused`` the links
    that are stored as refused."""

    nodes: frozenset[Node]
    links: dict[Key, Link]
    shared: frozenset[Node]
    refused: dict[Key, Refusal]

    @property
    def visitors(self) -> list[UUID]:
        return sorted(UUID(node.value) for node in self.nodes if node.kind is Kind.VISITOR)


async def read_closure(tx: AsyncSession, project_id: UUID, seeds: Iterable[Node]) -> Closure:
    """The closure of ``seeds`` as it stands. Raises TooMany."""
    reached = set(seeds)
    frontier = set(reached)
    links: dict[Key, Link] = {}
    shared: set[Node] = set()
    refused: dict[Key, Refusal] = {}
    ring = ring_of(tx)
    most = max(MOST_LINKS, 4 * len(reached))
    for _ in range(MOST_STEPS):
        if not frontier:
            return Closure(frozenset(reached), links, frozenset(shared), refused)
        rows = await tx.execute(
            _AROUND,
            {
                "project": project_id,
                "nodes": json.dumps([{"kind": n.kind, "value": ring.seal_end(n.value)} for n in sorted(frontier)]),
                "most_said": MOST_SAID + 1,
                "most_said_by": MOST_SAID_BY + 1,
            },
        )
        seen: set[Node] = set()
        for kind, value, says, said_by, *link in rows:
            if says > MOST_SAID or said_by > MOST_SAID_BY:
                shared.add(Node(Kind(kind), ring.open(value)))
            if link[0] is None:
                continue
            subject = Node(Kind(link[0]), ring.open(link[1]))
            name = Node(Kind(link[2]), ring.open(link[3]))
            links[Key(subject, name)] = Link(subject, name, link[4], link[5], link[6])
            if link[7] is not None:
                users = ring.open_json(link[8])
                refused[Key(subject, name)] = Refusal(Why(link[7]), (users[0], users[1]) if users else None)
            seen.update((subject, name))
        if len(links) > most:
            raise TooMany
        frontier = seen - reached
        reached |= frontier
    raise TooMany


async def hold(tx: AsyncSession, project_id: UUID, nodes: Iterable[Node]) -> frozenset[int]:
    """Waits until nobody else links any of these nodes. Returns what it holds, to be compared by ``stripes``."""
    held = stripes(nodes)
    await tx.execute(_LOCK, {"names": [f"{project_id}/{stripe}" for stripe in sorted(held)]})
    return held


def stripes(nodes: Iterable[Node]) -> frozenset[int]:
    """The locks that stand for these nodes."""
    return frozenset(_stripe(node) for node in nodes)


def _stripe(node: Node) -> int:
    digest = hashlib.blake2b(f"{node.kind}\0{node.value}".encode(), digest_size=2).digest()
    return int.from_bytes(digest, "big") % STRIPES
