"""Reports over HTTP: the reasons of many sessions, on one page or everywhere, right now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from insights.api.caller import SecretCaller
from insights.api.services import FromRequest
from insights.reports.advice import ADVICE, AggregateAction
from insights.reports.mix import Share, Told, by_cell, reason_mix
from insights.reports.narrate import mix_words
from insights.reports.read import Where, read_told
from insights.vocabulary.reasons import Kind, Reason

router = APIRouter(prefix="/v1/reports", tags=["reports"])

Text = Annotated[str | None, Query(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]

MOST_IDS = 100
MOST_CELLS = 50

By = Literal["page", "landing", "utm_source", "device"]

CELLS: Final[dict[By, Callable[[Told], str | None]]] = {
    "page": lambda one: one.exit_path,
    "landing": lambda one: one.landing_path,
    "utm_source": lambda one: one.utm_source,
    "device": lambda one: one.device,
}


class ReasonOut(BaseModel):
    """One reason: share and 95 % interval (0..1), newer sessions counting more; ``n`` counts each session once."""

    reason: Reason
    share: float
    low: float
    high: float
    n: int


class DominantOut(ReasonOut):
    """The most frequent reason. ``leads``: ahead of the next by more than chance explains; only then is there an
    action. ``session_ids``: the newest sessions behind it, at most 100."""

    leads: bool
    action: AggregateAction | None
    advice: str | None
    session_ids: list[UUID]


class CellOut(BaseModel):
    """One page, source or device (null: not known) and its most frequent reason. Each interval is for its cell alone:
    among many cells some stand out by chance."""

    name: str | None
    sessions: int
    first: ReasonOut
    leads: bool


class ReasonsOut(BaseModel):
    """The reason mix. ``effective``: as many equally weighted sessions would be as sure. ``cut``: there were more
    sessions than one report looks at, and only the newest were."""

    kind: Kind
    since: datetime
    until: datetime
    sessions: int
    effective: float
    words: str
    dominant: DominantOut | None
    reasons: list[ReasonOut]
    by: By | None
    cells: list[CellOut]
    cut: bool


@router.get("/reasons", response_model=ReasonsOut)
async def get_reasons(
    caller: SecretCaller,
    services: FromRequest,
    kind: Annotated[Kind, Query(description="Why they left, or why they bought: what to amplify.")] = Kind.ABANDONED,
    page: Annotated[Text, Query(description="Only sessions that ended on this path, e.g. /pricing.")] = None,
    landing: Annotated[Text, Query(description="Only sessions that began on this path.")] = None,
    utm_source: Annotated[Text, Query(description="Only sessions that came from there.")] = None,
    device: Annotated[Literal["phone", "tablet", "desktop"] | None, Query()] = None,
    by: Annotated[By | None, Query(description="Also apart for each of these, the 50 with most sessions.")] = None,
    hours: Annotated[int, Query(ge=1, le=24 * 90, description="Sessions closed in the last hours.")] = 24,
    last: Annotated[int | None, Query(ge=1, le=20_000, description="At most so many, the newest.")] = None,
    half_life_hours: Annotated[
        float | None,
        Query(gt=0.01, le=24 * 365, description="A session's weight halves in this time: half of `hours`."),
    ] = None,
) -> ReasonsOut:
    """The dominant reason with share, interval and the sessions behind it, and all others beside it."""
    until = datetime.now(UTC)
    since = until - timedelta(hours=hours)
    async with services.database.transaction(caller.project_id) as tx:
        told, cut = await read_told(tx, caller.project_id, kind, Where(page, landing, utm_source, device), since, until)
    half_life = timedelta(hours=half_life_hours or hours / 2)
    mix = await asyncio.to_thread(reason_mix, told[:last], kind, until, half_life)
    cells = [] if by is None else await asyncio.to_thread(by_cell, told[:last], CELLS[by], kind, until, half_life)
    dominant = None
    if mix.shares:
        first = mix.shares[0]
        action, advice = ADVICE[first.reason] if mix.leads else (None, None)
        dominant = DominantOut(
            reason=first.reason,
            share=first.share,
            low=first.low,
            high=first.high,
            n=first.n,
            leads=mix.leads,
            action=action,
            advice=advice,
            session_ids=list(first.session_ids[:MOST_IDS]),
        )
    return ReasonsOut(
        kind=kind,
        since=since,
        until=until,
        sessions=mix.n,
        effective=mix.effective,
        words=mix_words(mix, kind),
        dominant=dominant,
        reasons=[_reason(one) for one in mix.shares],
        by=by,
        cells=[
            CellOut(name=name, sessions=its.n, first=_reason(its.shares[0]), leads=its.leads)
            for name, its in cells[:MOST_CELLS]
        ],
        cut=cut,
    )


def _reason(one: Share) -> ReasonOut:
    return ReasonOut(reason=one.reason, share=one.share, low=one.low, high=one.high, n=one.n)
