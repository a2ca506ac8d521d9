"""Decides what is sent in which order: distinct clicks by event time, gathered into batches of one session.

Pure. The same file always gives the same ids and the same batches in the same order, so a replay can be repeated and
taken up again: what was stored before is a duplicate, and a position in the order means the same in every run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from insights.replay.formats import Click, Format
from insights.vocabulary.ids import uuid7_from_key

BATCH_EVENTS = 50
BATCH_SPAN_MS = 30 * 60_000
BATCH_BYTES = 400_000
"""Well under the API's default limit for a body, whatever the encoding adds."""


@dataclass(frozen=True, slots=True)
class ReplayBatch:
    """What one request carries: events of one session and tab, in order.

    ``at_ms`` is when its last event happened: no batch leaves before all of it has happened. ``closes`` is true for
    the last one of its session.
    """

    visitor: UUID
    session: UUID
    tab: str
    events: tuple[dict[str, Any], ...]
    at_ms: int
    closes: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole replay: its batches in sending order, and how many distinct events and sessions they hold."""

    batches: tuple[ReplayBatch, ...]
    events: int
    sessions: int


def plan_replay(clicks: Iterable[Click], format: Format, limit: int | None = None) -> Plan:
    """Orders, identifies and gathers ``clicks``; with ``limit`` only the first so many distinct ones by event time."""
    ordered = distinct_by_time(clicks)[:limit]
    gathered = _gather(ordered, format)
    # Stable: batches of one session that end at the same time keep their order.
    gathered.sort(key=lambda group: group[-1][0].at_ms)
    last = {group[0][2]: position for position, group in enumerate(gathered)}
    batches = tuple(
        ReplayBatch(
            visitor=group[0][1],
            session=group[0][2],
            tab=group[0][0].tab,
            events=tuple(event for _, _, _, event in group),
            at_ms=group[-1][0].at_ms,
            closes=last[group[0][2]] == position,
        )
        for position, group in enumerate(gathered)
    )
    return Plan(batches, len(ordered), len(last))


def distinct_by_time(clicks: Iterable[Click]) -> list[Click]:
    """The first of each set of equal clicks, by event time; clicks of one moment stay in file order."""
    distinct: dict[str, Click] = {}
    for click in clicks:
        distinct.setdefault(click.key, click)
    return sorted(distinct.values(), key=lambda click: click.at_ms)


def event_id(click: Click) -> UUID:
    """A click's own id, or the one UUIDv7 that belongs to its key."""
    return click.id if click.id is not None else uuid7_from_key(click.at_ms, click.key)


_Placed = tuple[Click, UUID, UUID, dict[str, Any]]


def _gather(ordered: list[Click], format: Format) -> list[list[_Placed]]:
    visitors: dict[str | UUID, UUID] = {}
    sessions: dict[str | UUID, UUID] = {}
    positions: Counter[UUID] = Counter()
    open_groups: dict[tuple[UUID, str], list[_Placed]] = {}
    sizes: Counter[tuple[UUID, str]] = Counter()
    groups: list[list[_Placed]] = []
    for click in ordered:
        # Ordered by time, so whoever is met for the first time is met at their first click.
        visitor = _known(visitors, click.visitor, click.at_ms, f"{format}:visitor:")
        session = _known(sessions, click.session, click.at_ms, f"{format}:session:")
        lane = (session, click.tab)
        group = open_groups.get(lane)
        if group is None or not _fits(group, visitor, click, sizes[lane]):
            group = open_groups[lane] = []
            groups.append(group)
            sizes[lane] = 0
        group.append((click, visitor, session, _event(click, positions[session])))
        sizes[lane] += click.size
        positions[session] += 1
    return groups


def _fits(group: list[_Placed], visitor: UUID, click: Click, size: int) -> bool:
    first, owner = group[0][0], group[0][1]
    return (
        len(group) < BATCH_EVENTS
        and click.at_ms - first.at_ms <= BATCH_SPAN_MS
        and size + click.size <= BATCH_BYTES
        and owner == visitor
    )


def _known(ids: dict[str | UUID, UUID], name: str | UUID, at_ms: int, prefix: str) -> UUID:
    if isinstance(name, UUID):
        return name
    if name not in ids:
        ids[name] = uuid7_from_key(at_ms, prefix + name)
    return ids[name]


def _event(click: Click, position: int) -> dict[str, Any]:
    event: dict[str, Any] = {
        "id": str(event_id(click)),
        "seq": position if click.seq is None else click.seq,
        "t": click.at_ms,
        "type": click.type,
        "props": click.props,
    }
    if click.url is not None:
        event["url"] = click.url
    return event
