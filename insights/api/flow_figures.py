"""What came of a flow over HTTP: by version and step, what it earned, its lift; and messages settled by hand."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from insights.api.caller import SecretCaller
from insights.api.given import Flag, Moment
from insights.api.lift import LiftOut, lift_out
from insights.api.once import Answer, OnceOnly
from insights.api.run_shapes import DeliveryOut
from insights.api.services import FromRequest
from insights.api.stored import StoredBody
from insights.building import drafts
from insights.building.drafts import Version
from insights.building.figures import VersionFigures, figures_of
from insights.building.messages import Messages
from insights.building.unknowns import settle
from insights.errors import Conflict, Refused
from insights.lift.read import OfFlow, read_people
from insights.lift.report import work_out

router = APIRouter(prefix="/v1", tags=["flows"])

LONGEST = timedelta(days=366)
_LENGTH = TypeAdapter(timedelta)


class MessagesOut(BaseModel):
    """What became of messages. ``sent``: accepted, or nobody can say (``unknown``); ``to_visitors``: how many of these
    were for visitors, so that an order may follow, and no ticket, task or tag. ``delivered`` … ``complained`` are
    as providers, links and people told, so none may mean that nobody told. ``converted``: messages after which the
    version's goal came true in its window; ``orders``, ``revenue_minor`` (by currency) and ``margin_minor`` are those
    put down to them, less what was given back: an order counts for the last message before it,
    of whatever flow, so that the figures of flows can be added up."""

    sent: int
    to_visitors: int
    unknown: int
    rejected: int
    suppressed: int
    under_way: int
    delivered: int
    bounced: int
    opened: int
    clicked: int
    unsubscribed: int
    complained: int
    converted: int
    orders: int
    revenue_minor: dict[str, int]
    margin_minor: float | None


class StepFiguresOut(BaseModel):
    """One step. ``entered``: runs that came by; ``skipped`` by reason; ``ways``: where they went on."""

    entered: int
    waiting: int
    done: int
    skipped: dict[str, int]
    ways: dict[str, int]
    messages: MessagesOut


class VersionFiguresOut(BaseModel):
    """One version. ``not_started``: reason → runs that were over at once; ``ended``: reason → runs."""

    version: int
    started: int
    waiting: int
    dead: int
    not_started: dict[str, int]
    ended: dict[str, int]
    messages: MessagesOut
    steps: dict[str, StepFiguresOut]


class FiguresOut(BaseModel):
    """The runs that began in the time, by version, the newest first. ``margin_currency`` null: the shop named no
    margin."""

    since: datetime
    until: datetime
    margin_currency: str | None
    total: MessagesOut
    versions: list[VersionFiguresOut]


class SettleIn(StoredBody):
    """What was found out about a message: in the provider's own lists, or by asking."""

    arrived: Flag = Field(description="true: it counts as sent. false: it does not. It is not sent again either way.")


@router.get("/flows/{flow_id}/figures", response_model=FiguresOut)
async def figures(
    flow_id: UUID,
    caller: SecretCaller,
    services: FromRequest,
    version: Annotated[int | None, Query(ge=1, description="This one alone.")] = None,
    since: Annotated[Moment | None, Query(description="Runs that began then or later.")] = None,
    until: Moment | None = None,
) -> FiguresOut:
    """What came of a flow: the runs of the last 30 days unless said otherwise."""
    now = datetime.now(UTC)
    end = until or now
    begin = since or end - timedelta(days=30)
    if not timedelta(0) < end - begin <= LONGEST:
        raise Refused(f"since: must lie before until, by {LONGEST.days} days at most.", field="since")
    async with services.database.transaction(caller.project_id) as tx:
        if version is None:
            versions = await drafts.list_versions(tx, caller.project_id, flow_id)
        else:
            versions = [await drafts.get_version(tx, caller.project_id, flow_id, version)]
        found = await figures_of(tx, caller.project_id, flow_id, versions, begin, end)
    return FiguresOut(
        since=found.since,
        until=found.until,
        margin_currency=found.margin_currency,
        total=_messages(found.total),
        versions=[_version(one) for one in found.versions],
    )


@router.get("/flows/{flow_id}/lift", response_model=LiftOut)
async def lift(
    flow_id: UUID,
    caller: SecretCaller,
    services: FromRequest,
    detect: Annotated[float, Query(ge=0.001, le=10, description="The lift to tell the people needed for.")] = 0.1,
) -> LiftOut:
    """Compares people whom the flow reached, or would have, with those from whom it was held back by a holdout: the
    shop's or its own. They count as they were assigned, within the flow's own window, since the share is what it is."""
    async with services.database.transaction(caller.project_id) as tx:
        versions = await drafts.list_versions(tx, caller.project_id, flow_id)
        if not versions:
            raise Conflict("This flow was never published: there is nothing to compare.")
        own = _own_holdout(flow_id, versions)
        success = versions[0].definition.get("settings", {}).get("success", {})
        read = await read_people(
            tx,
            caller.project_id,
            datetime.now(UTC),
            horizon_days=_days(success.get("within")),
            detect=detect,
            flow=own,
        )
    return lift_out(await asyncio.to_thread(lambda: work_out(read.people(), read.question)))


@router.post("/deliveries/{delivery_id}/settle", response_model=DeliveryOut)
async def settle_delivery(delivery_id: UUID, body: SettleIn, caller: SecretCaller, once: OnceOnly) -> Response:
    """Says of an unknown message whether it arrived (``GET /v1/deliveries?status=unknown`` lists them)."""

    async def work(tx: AsyncSession) -> Answer:
        delivery = await settle(
            tx, caller.project_id, delivery_id, arrived=body.arrived, by="hand", now=datetime.now(UTC)
        )
        return Answer(DeliveryOut.model_validate(delivery, from_attributes=True))

    return await once.do(work)


def _own_holdout(flow_id: UUID, versions: list[Version]) -> OfFlow:
    """The flow's own share, and since when it and the flow's name have been those: of the newest version backwards. The
    name is in the draw: under another one others are held out."""
    share, name = _share(versions[0]), versions[0].definition.get("name")
    since = versions[0].published_at
    for place, version in enumerate(versions):
        if _share(version) != share or (share > 0 and version.definition.get("name") != name):
            same_draw = (one for one in versions[place:] if one.definition.get("name") == name)
            return OfFlow(flow_id, share, since, any(map(_share, same_draw)))
        since = version.published_at
    return OfFlow(flow_id, share, since)


def _share(version: Version) -> float:
    share = version.definition.get("settings", {}).get("holdout", 0.0)
    return float(share) if isinstance(share, int | float) else 0.0


def _days(within: object) -> int:
    """A window in whole days, as it stands in a definition."""
    length = _LENGTH.validate_python(within) if within is not None else timedelta(days=7)
    return min(max(1, -(-int(length.total_seconds()) // 86_400)), 90)


def _version(one: VersionFigures) -> VersionFiguresOut:
    return VersionFiguresOut(
        version=one.number,
        started=one.started,
        waiting=one.waiting,
        dead=one.dead,
        not_started=dict(one.not_started),
        ended=dict(one.ended),
        messages=_messages(one.messages),
        steps={
            name: StepFiguresOut(
                entered=step.entered,
                waiting=step.waiting,
                done=step.done,
                skipped=dict(step.skipped),
                ways=dict(step.ways),
                messages=_messages(step.messages),
            )
            for name, step in one.steps.items()
        },
    )


def _messages(messages: Messages) -> MessagesOut:
    return MessagesOut.model_validate(messages, from_attributes=True)
