"""Patterns over HTTP: list, one with its sessions, a look on demand; and who is told of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on

from insights.api.caller import SecretCaller
from insights.api.given import Flag, Whole
from insights.api.services import FromRequest
from insights.api.stored import StoredBody
from insights.errors import InUse
from insights.models import Notice, Pattern, PatternLook, Subscription
from insights.patterns import subscribers
from insights.patterns.actions import PARAMS
from insights.patterns.cells import Dimension
from insights.patterns.read import pattern_named, patterns_before
from insights.reports.advice import ADVICE, AggregateAction
from insights.vocabulary.reasons import Kind, Reason

router = APIRouter(tags=["patterns"])

Share = Annotated[float, Field(ge=0, le=1)]


class ShareOut(BaseModel):
    """A share (0..1) with its 95 % interval."""

    share: Share
    low: Share
    high: Share


class PatternCellOut(BaseModel):
    """A group of visits: all, or one page, source, device, country or product."""

    dimension: Dimension
    name: str


class PatternOut(BaseModel):
    """A reason whose share changed. ``ended_at`` null: it goes on. ``corrected``: the shares are corrected for what
    people said that the classifier confuses. ``version``: the classifier whose insights were compared."""

    id: UUID
    found_at: datetime
    began_at: datetime = Field(description="The likeliest hour.")
    looked_at: datetime
    ended_at: datetime | None
    end_reason: Literal["back", "stays", "version", "quiet"] | None
    dimension: Dimension
    name: str
    label: str
    kind: Kind
    reason: Reason
    version: str
    before: ShareOut
    after: ShareOut
    corrected: bool
    p_value: float
    sessions: int = Field(description="Visits with the reason since it began.")
    cell_sessions: int = Field(description="All visits of the kind in the cell since then.")
    also: list[PatternCellOut] = Field(description="Other cells in which the same visits show.")
    at_stake: dict[str, int] = Field(description="Left in carts, minor units by currency.")
    action: AggregateAction
    params: dict[str, Any] = Field(description="By the action's schema: GET /v1/patterns/actions.")
    narrative: str
    told_by: str


class OnePatternOut(PatternOut):
    """With the newest 100 sessions behind it."""

    session_ids: list[UUID]


class PatternsOut(BaseModel):
    """Newest first. ``next``: send it as ``cursor`` for more. ``looked_at``: when the project was last looked at."""

    patterns: list[PatternOut]
    next: str | None
    looked_at: datetime | None


class LookIn(StoredBody):
    """What counts as now: the last ``hours``, or the hours that the ``last`` sessions took. 30 hours by default."""

    hours: Whole | None = Field(None, ge=4, le=24 * 14)
    last: Whole | None = Field(None, ge=30, le=100_000)

    @model_validator(mode="after")
    def _one(self) -> LookIn:
        if self.hours is not None and self.last is not None:
            raise ValueError("give hours or last, not both")
        return self


class LookOut(BaseModel):
    """What was looked at and found."""

    at: datetime
    sessions: int
    cells: int
    found: list[UUID]
    ended: int


class PatternActionOut(BaseModel):
    """One aggregate action: what it says, for which reasons, and the schema of its parameters."""

    action: AggregateAction
    sentence: str
    reasons: list[Reason]
    params: dict[str, Any]


class SubscriptionIn(StoredBody):
    """Who is told: an e-mail address, or a webhook (https) whose posts are signed by the Standard Webhooks scheme."""

    channel: Literal["email", "webhook"]
    address: str = Field(min_length=3, max_length=500)
    patterns: Flag = True
    report: Literal["daily", "weekly"] | None = None


class SubscriptionOut(BaseModel):
    """``report_at``: when the next report goes out. ``last``: what became of the last notice."""

    id: UUID
    channel: Literal["email", "webhook"]
    address: str
    patterns: bool
    report: Literal["daily", "weekly"] | None
    report_at: datetime | None
    created_at: datetime
    last_about: str | None = None
    last_status: str | None = None
    last_error: str | None = None


class NewSubscriptionOut(SubscriptionOut):
    """``secret`` signs a webhook's posts and is shown this once."""

    secret: str | None


@router.get("/v1/patterns", response_model=PatternsOut)
async def list_patterns(
    caller: SecretCaller,
    services: FromRequest,
    open: Annotated[bool | None, Query(description="Only those that go on, or only those that are over.")] = None,
    kind: Annotated[Kind | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[UUID | None, Query(description="`next` of the page before.")] = None,
) -> PatternsOut:
    """What changed, newest first."""
    async with services.database.transaction(caller.project_id) as tx:
        rows = await patterns_before(tx, caller.project_id, limit + 1, cursor, open_=open, kind=kind)
        looked_at = await tx.scalar(select(PatternLook.looked_at).where(PatternLook.project_id == caller.project_id))
    return PatternsOut(
        patterns=[PatternOut.model_validate(pattern_out(row)) for row in rows[:limit]],
        next=str(rows[limit - 1].id) if len(rows) > limit else None,
        looked_at=looked_at,
    )


@router.get("/v1/patterns/actions", response_model=list[PatternActionOut])
async def list_actions() -> list[PatternActionOut]:
    """The closed registry of aggregate actions with the JSON Schema of their parameters."""
    return [
        PatternActionOut(
            action=action,
            sentence=next(sentence for one, sentence in ADVICE.values() if one is action),
            reasons=[reason for reason, (one, _) in ADVICE.items() if one is action],
            params=params.model_json_schema(),
        )
        for action, params in PARAMS.items()
    ]


@router.post("/v1/patterns/look", response_model=LookOut)
async def look_now(caller: SecretCaller, services: FromRequest, asked: LookIn | None = None) -> LookOut:
    """Looks now, beside the hourly looks. What is found is stored, told and acted on in the same way."""
    given = asked or LookIn(hours=None, last=None)
    looked = await services.looker.look(caller.project_id, hours=given.hours, last=given.last)
    if looked is None:
        raise InUse("Somebody is looking just now: read GET /v1/patterns in a moment.")
    return LookOut(
        at=looked.at, sessions=looked.sessions, cells=looked.cells, found=list(looked.found), ended=looked.ended
    )


@router.get("/v1/patterns/{pattern_id}", response_model=OnePatternOut)
async def get_pattern(pattern_id: UUID, caller: SecretCaller, services: FromRequest) -> OnePatternOut:
    """One pattern with the newest sessions behind it."""
    async with services.database.transaction(caller.project_id) as tx:
        row = await pattern_named(tx, caller.project_id, pattern_id)
    return OnePatternOut.model_validate(pattern_out(row) | {"session_ids": row.session_ids})


@router.get("/v1/subscriptions", response_model=list[SubscriptionOut])
async def list_subscriptions(caller: SecretCaller, services: FromRequest) -> list[SubscriptionOut]:
    """Who is told, and what became of the last notice to each."""
    async with services.database.transaction(caller.project_id) as tx:
        rows = await subscribers.subscriptions(tx, caller.project_id)
        notices = await tx.scalars(
            select(Notice)
            .where(Notice.project_id == caller.project_id)
            .ext(distinct_on(Notice.subscription_id))
            .order_by(Notice.subscription_id, Notice.created_at.desc())
        )
        last = {notice.subscription_id: notice for notice in notices}
    return [_subscription(row, last.get(row.id)) for row in rows]


@router.post("/v1/subscriptions", response_model=NewSubscriptionOut, status_code=201)
async def add_subscription(asked: SubscriptionIn, caller: SecretCaller, services: FromRequest) -> NewSubscriptionOut:
    """Subscribes an address. A webhook's signing secret is in this answer only."""
    async with services.database.transaction(caller.project_id) as tx:
        row, secret = await subscribers.subscribe(
            tx,
            caller.project_id,
            asked.channel,
            asked.address,
            patterns=asked.patterns,
            report=asked.report,
            sealer=services.sealer,
            allow_private=services.settings.webhook_allow_private,
            now=datetime.now(UTC),
        )
        return NewSubscriptionOut(**_subscription(row, None).model_dump(), secret=secret)


@router.delete("/v1/subscriptions/{subscription_id}", status_code=204)
async def delete_subscription(subscription_id: UUID, caller: SecretCaller, services: FromRequest) -> None:
    """Ends a subscription."""
    async with services.database.transaction(caller.project_id) as tx:
        await subscribers.unsubscribe(tx, caller.project_id, subscription_id)


def pattern_out(row: Pattern) -> dict[str, Any]:
    """A stored pattern as ``PatternOut`` takes it."""
    plain = {name: getattr(row, name) for name in PatternOut.model_fields if name not in ("before", "after")}
    return plain | {
        "before": {"share": row.before, "low": row.before_low, "high": row.before_high},
        "after": {"share": row.after, "low": row.after_low, "high": row.after_high},
    }


def _subscription(row: Subscription, last: Notice | None) -> SubscriptionOut:
    return SubscriptionOut(
        id=row.id,
        channel=row.channel,
        address=row.address,
        patterns=row.patterns,
        report=row.report,
        report_at=row.report_at,
        created_at=row.created_at,
        last_about=None if last is None else last.about,
        last_status=None if last is None else last.status,
        last_error=None if last is None else last.error,
    )
