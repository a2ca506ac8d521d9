"""Decides whether a flush was written by whoever knew all of a visitor: then its decisions count, else they do not.

The store counts what it holds of a visitor: each event of theirs and each decision on them (``visitor.version``). A
profile that was folded from as many lacks nothing. Who writes says how many their profile stood for; when the store
counts otherwise, somebody else wrote meanwhile, and what was decided without knowing that is not carried out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from msgspec import Struct

from insights.vocabulary.ids import IdNumber


class Claimant(Protocol):
    """What claims are made of: an entry of a flush, in the order of writing."""

    visitor_id: UUID
    decision: dict[str, Any] | None
    before: int | None
    fresh: int
    stale: bool
    undecided: bool


class Claim(Struct, gc=False):
    """``expected``: the version of the visitor once the ``fresh`` events are stored; None claims nothing."""

    id: UUID
    expected: int | None
    fresh: int
    decisions: int


@dataclass(frozen=True, slots=True)
class Claims:
    """What the entries of one flush claim. ``broken``: visitors whose entries contradict each other."""

    by_visitor: dict[IdNumber, Claim]
    broken: frozenset[IdNumber]

    @property
    def of_events(self) -> list[Claim]:
        """Those to compare when the events are stored."""
        return [claim for claim in self.by_visitor.values() if claim.expected is not None and claim.fresh]

    @property
    def of_decisions(self) -> list[Claim]:
        """Those that decisions hang on."""
        return [claim for claim in self.by_visitor.values() if claim.decisions]


def claims_of(entries: Sequence[Claimant]) -> Claims:
    """One claim a visitor. Entries of one visitor build on each other; where they do not, none of them is right."""
    by_visitor: dict[IdNumber, Claim] = {}
    broken: set[IdNumber] = set()
    for entry in entries:
        decisions = 0 if entry.decision is None else 1
        visitor = entry.visitor_id.int
        known = by_visitor.get(visitor)
        if known is None:
            expected = None if entry.before is None else entry.before + entry.fresh
            by_visitor[visitor] = Claim(entry.visitor_id, expected, entry.fresh, decisions)
            continue
        if entry.before is not None:
            if known.expected is None:
                known.expected = entry.before + entry.fresh
            elif entry.before == known.expected + known.decisions:
                known.expected += entry.fresh
            else:
                broken.add(visitor)
            known.fresh += entry.fresh
        known.decisions += decisions
    for visitor in broken:
        del by_visitor[visitor]
    return Claims(by_visitor, frozenset(broken))


def settle(
    entries: Sequence[Claimant], claims: Claims, versions: Mapping[IdNumber, int], undecided: Collection[str]
) -> tuple[int, int]:
    """Tells each entry how it went; returns how many were stale and how many undecided.

    ``versions``: of the visitors that the flush wrote events of, once they are stored; ``undecided``: decisions that
    were not written, as text.
    """
    moved = {claim.id.int for claim in claims.of_events if versions.get(claim.id.int) != claim.expected}
    for entry in entries:
        visitor = entry.visitor_id.int
        entry.stale = entry.before is not None and (visitor in claims.broken or visitor in moved)
        entry.undecided = entry.decision is not None and (
            visitor in claims.broken or (bool(undecided) and str(entry.decision["id"]) in undecided)
        )
    return sum(entry.stale for entry in entries), sum(entry.undecided for entry in entries)
