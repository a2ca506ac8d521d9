"""Counts what became of every run of a crowd: arrived, unknown, under way, put aside, lost, twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text

from bench.chaos.crowd import POISONED, STARTED, Crowd
from bench.report import Figure

_RUNS = text("""
SELECT flow.name, run.visitor_id, run.id::text AS id, run.status, delivery.id AS delivery_id,
       delivery.status AS sent
FROM flow_run AS run
JOIN flow ON flow.id = run.flow_id
LEFT JOIN delivery ON delivery.project_id = run.project_id AND delivery.run_id = run.id
WHERE flow.name IN ('mail', 'hook', 'told')
""")
_POISONED = text("""
SELECT run.status, count(*) FROM flow_run AS run JOIN flow ON flow.id = run.flow_id
WHERE flow.name = 'poison' GROUP BY 1
""")
_WHY_UNKNOWN = text("SELECT detail, count(*) FROM run_event WHERE what = 'unknown' GROUP BY 1")
_UNSEEN = text("SELECT visitor_id FROM flow_occurrence")


@dataclass(slots=True)
class Ends:
    """By flow. ``started_twice``: runs beyond the first of a visitor; ``lost``: what there is no run of, or a message
    of a run at its end that neither arrived nor is listed as unknown; ``unexplained``: unknown ones that no kill and no
    provider cut off."""

    runs: int = 0
    started_twice: int = 0
    runs_lost: int = 0
    under_way: int = 0
    put_aside: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    twice: Counter[str] = field(default_factory=Counter)
    unexplained: int = 0
    poisoned: Counter[str] = field(default_factory=Counter)
    why_unknown: Counter[str] = field(default_factory=Counter)


async def ends_of(crowd: Crowd, cut_off: Collection[UUID]) -> Ends:
    """What became of the crowd's runs. ``cut_off``: deliveries whose end nobody had written down at a kill."""
    async with crowd.stand.database.transaction(crowd.stand.project_id) as tx:
        rows = (await tx.execute(_RUNS)).all()
        unseen = set(await tx.scalars(_UNSEEN))
        poisoned = Counter({row[0]: row[1] for row in await tx.execute(_POISONED)})
        why_unknown = Counter({row[0]: row[1] for row in await tx.execute(_WHY_UNKNOWN)})
    theirs: dict[tuple[str, UUID], list[Any]] = {}
    for row in rows:
        theirs.setdefault((row.name, row.visitor_id), []).append(row)
    ends = Ends(runs=len(STARTED) * len(crowd.visitors), poisoned=poisoned, why_unknown=why_unknown)
    for visitor in crowd.visitors:
        for name in STARTED:
            found = theirs.get((name, visitor), [])
            ends.started_twice += max(0, len({row.id for row in found}) - 1)
            if found:
                _count(ends, crowd, name, found[0], cut_off)
            elif visitor in unseen:
                ends.under_way += 1
            else:
                ends.runs_lost += 1
    for name, done in (("mail", crowd.mails.received), ("hook", crowd.hooks.done), ("told", crowd.told.done)):
        ends.twice[name] = sum(count - 1 for count in done.values())
    return ends


def _count(ends: Ends, crowd: Crowd, name: str, row: Any, cut_off: Collection[UUID]) -> None:
    if row.status in ("waiting", "sending"):
        ends.under_way += 1
        return
    if row.status != "done":
        ends.put_aside += 1
        return
    if row.sent == "unknown":
        ends.unknown[name] += 1
        hung_up = name == "mail" and crowd.visitors[row.visitor_id] in crowd.mails.dropped
        ends.unexplained += not hung_up and row.delivery_id not in cut_off
    elif not _arrived(crowd, name, row):
        ends.lost[name] += 1


def _arrived(crowd: Crowd, name: str, row: Any) -> bool:
    match name:
        case "mail":
            return crowd.visitors[row.visitor_id] in crowd.mails.received
        case "hook":
            return row.id in crowd.hooks.done
        case _:
            return str(row.visitor_id) in crowd.told.done


def end_figures(ends: Ends, crowd: Crowd, might: int) -> Sequence[Figure]:
    """The figures of it. ``might``: how many mails a kill or their provider cut off."""
    visitors = len(crowd.visitors)

    def none(name: str, value: int, of: int) -> Figure:
        return Figure(name, value, "", bar=0, holds=value == 0, n=of)

    aside = ends.poisoned["dead"] + ends.poisoned["waiting"]
    unknown = ends.unknown["mail"]
    return [
        none("runs lost", ends.runs_lost, ends.runs),
        none("runs started twice", ends.started_twice, ends.runs),
        none("runs not at their end when it was counted", ends.under_way, ends.runs),
        none("runs put aside that were not poisoned", ends.put_aside, ends.runs),
        none("mails lost, to a provider that delivers every copy", ends.lost["mail"], visitors),
        none("mails sent twice", ends.twice["mail"], sum(crowd.mails.received.values())),
        none("webhooks lost", ends.lost["hook"], visitors),
        none("webhooks done twice, by a receiver that honours keys", ends.twice["hook"], crowd.hooks.calls),
        none("webhooks unknown", ends.unknown["hook"], visitors),
        none("events lost, to a platform that knows them by their id", ends.lost["told"], visitors),
        none("events twice under two ids", ends.twice["told"], crowd.told.calls),
        none("events unknown", ends.unknown["told"], visitors),
        Figure(
            "mails listed as unknown, of those cut off or hung up on",
            unknown,
            "",
            bar=might,
            holds=unknown <= might,
            n=visitors,
            peer=ends.why_unknown,
        ),
        none("messages unknown that nothing had cut off", ends.unexplained, ends.runs),
        Figure(
            "poisoned runs that are put aside or wait for their next try",
            aside,
            "",
            bar=POISONED,
            holds=aside == POISONED,
            n=POISONED,
        ),
    ]
