"""Requests of the law: taken down at once, carried out by the worker, so that none is lost and none is done twice."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.postgres.acting import acting
from adapters.postgres.engine import Database
from adapters.postgres.personal import KeyUnknown
from flows.models import Conversion
from insights.errors import NotFound
from insights.events.erased import EVERYBODY
from insights.models import PrivacyRequest, Project, Visitor
from insights.privacy.elsewhere import hand_on, hand_on_everybody
from insights.privacy.erase import erase_everybody, erase_visitors, names_of
from insights.privacy.export import export_visitors
from insights.privacy.forgetting import Forget, tell
from insights.privacy.named import forms
from insights.privacy.person import Asked, visitors_asked_for
from insights.privacy.remembered import remember
from insights.privacy.slipped import erase_slipped
from insights.vocabulary.ids import uuid7

log = structlog.get_logger()


async def ask(tx: AsyncSession, project_id: UUID, kind: str, who: dict[str, Any], asked_by: str, now: datetime) -> UUID:
    """Takes a request down. ``kind``: erase_person, erase_shop or export_person."""
    request = PrivacyRequest(
        project_id=project_id, id=uuid7(), kind=kind, who=who, asked_by=asked_by, received_at=now, outcome={}
    )
    tx.add(request)
    return request.id


async def note_export(
    tx: AsyncSession, project_id: UUID, exported: dict[str, Any], asked_by: str, now: datetime
) -> None:
    """Takes down that somebody of the shop was handed what is stored of a person, without saying of whom."""
    outcome = {name: len(rows) for name, rows in exported.items()}
    told = {"kind": "export_person", "who": {}, "asked_by": asked_by, "received_at": now, "done_at": now}
    tx.add(PrivacyRequest(project_id=project_id, id=uuid7(), outcome=outcome, **told))


async def list_requests(tx: AsyncSession, project_id: UUID, limit: int = 200) -> list[PrivacyRequest]:
    """The latest requests, newest first."""
    rows = await tx.scalars(
        select(PrivacyRequest)
        .where(PrivacyRequest.project_id == project_id)
        .order_by(PrivacyRequest.id.desc())
        .limit(limit)
    )
    return list(rows)


async def answer_export(tx: AsyncSession, project_id: UUID, request_id: UUID, now: datetime) -> dict[str, Any]:
    """What is stored of who asked, by table. The request counts as done. Raises NotFound."""
    request = await tx.get(PrivacyRequest, (project_id, request_id), with_for_update=True)
    if request is None or request.kind != "export_person":
        raise NotFound(f"There is no request {request_id} for what is stored of somebody.")
    asked = Asked.of(request.who)
    exported = await export_visitors(tx, project_id, await visitors_asked_for(tx, project_id, asked), asked)
    request.done_at = request.done_at or now
    request.outcome = {name: len(rows) for name, rows in exported.items()}
    return exported


async def carry_out(database: Database, forget: Forget) -> int:
    """Erases whoever is to be erased, in every project, and once more who is known anew by what was on its way
    meanwhile; returns how many requests that were.

    Workers that meet pass each other by. What fails is tried again the next time, and holds up no other. Who asked is
    noted; what follows of it in other tables is nobody's doing, whoever runs this.
    """
    done = 0
    with acting(None):
        async with database.transaction(None) as tx:
            projects = list(await tx.scalars(select(Project.id).order_by(Project.id)))
        for project_id in projects:
            async with database.transaction(project_id) as tx:
                waiting = list(await tx.scalars(_waiting(project_id).order_by(PrivacyRequest.received_at)))
            for request_id in waiting:
                try:
                    done += await _carry_out(database, project_id, request_id, forget)
                except Exception:
                    log.exception("privacy_request_failed", project=str(project_id), request=str(request_id))
            await erase_slipped(database, project_id, forget)
    return done


def _waiting(project_id: UUID) -> Select[UUID]:
    return select(PrivacyRequest.id).where(
        PrivacyRequest.project_id == project_id,
        PrivacyRequest.done_at.is_(None),
        PrivacyRequest.kind != "export_person",
    )


async def _carry_out(database: Database, project_id: UUID, request_id: UUID, forget: Forget) -> bool:
    """Whether it was done here; otherwise another worker has it."""
    async with database.transaction(project_id) as tx:
        mine = _waiting(project_id).where(PrivacyRequest.id == request_id).with_for_update(skip_locked=True)
        if await tx.scalar(mine) is None:
            return False
        request = await tx.get_one(PrivacyRequest, (project_id, request_id))
        visitors: set[UUID] = set()
        if request.kind == "erase_shop":
            visitors = set(await tx.scalars(select(Visitor.id).where(Visitor.project_id == project_id)))
            gone = {EVERYBODY}
            await hand_on_everybody(tx, request, datetime.now(UTC))
            request.outcome = await erase_everybody(tx, project_id)
            await _forget_exports(tx, project_id, None, datetime.now(UTC))
        else:
            asked = Asked.of(request.who)
            gone = visitors = await visitors_asked_for(tx, project_id, asked)
            await hand_on(tx, request, visitors, asked, datetime.now(UTC))
            theirs = await _all_of(tx, project_id, visitors, asked)
            request.outcome = await erase_visitors(tx, project_id, visitors, asked)
            await _forget_exports(tx, project_id, theirs, datetime.now(UTC))
        await remember(tx, project_id, gone, datetime.now(UTC))
        await tell(tx, project_id, visitors)
        request.who = {}
        request.done_at = datetime.now(UTC)
        log.info("people_erased", kind=request.kind, request=str(request.id), rows=sum(request.outcome.values()))
    for visitor_id in visitors:
        # At once here; the other processes hear of it.
        forget(project_id, visitor_id)
    return True


async def _all_of(tx: AsyncSession, project_id: UUID, visitors: Collection[UUID], asked: Asked) -> set[str]:
    """Whatever a request may have called these people by: names, devices, orders."""
    orders = await tx.scalars(
        select(Conversion.key).where(Conversion.project_id == project_id, Conversion.visitor_id.in_(sorted(visitors)))
    )
    names = await names_of(tx, project_id, visitors, asked)
    spelled = {form for name in names for form in forms(name)}
    return {*spelled, *map(str, visitors), *_orders([*orders, *asked.orders])}


def _orders(numbers: Collection[str]) -> set[str]:
    # A customer may have the number of an order.
    return {f"order {number}" for number in numbers}


async def _forget_exports(tx: AsyncSession, project_id: UUID, theirs: AbstractSet[str] | None, now: datetime) -> None:
    """Whoever is erased asked before, perhaps, for what is stored of them: that somebody did stays, not who.

    ``theirs``: what they are called by, None for everybody. There is nothing left to hand over to who still waits.
    """
    exports = await tx.scalars(
        select(PrivacyRequest.id).where(PrivacyRequest.project_id == project_id, PrivacyRequest.kind == "export_person")
    )
    for request_id in exports.all():
        try:
            row = await tx.get_one(PrivacyRequest, (project_id, request_id))
        except KeyUnknown:
            # What nobody can open says of nobody who they are.
            continue
        asked = Asked.of(row.who)
        said = {form for name in asked.names for form in (*forms(name), name.lower())} | set(map(str, asked.visitors))
        if row.who and (theirs is None or not theirs.isdisjoint(said | _orders(asked.orders))):
            row.who, row.done_at = {}, row.done_at or now
