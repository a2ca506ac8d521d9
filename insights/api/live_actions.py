"""The catalogue over HTTP: a shop's own live actions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from flows.conditions import ConditionInvalid, to_words, understand
from insights.api.caller import SecretCaller
from insights.api.etag import IfMatch, etag_of, version_of
from insights.api.given import Flag, Moment, Number, Whole
from insights.api.services import FromRequest
from insights.api.stored import StoredBody
from insights.decisions.catalogue import DEFAULT_CATALOGUE
from insights.decisions.content import Template
from insights.decisions.entries import Entry
from insights.decisions.incentives import Incentive
from insights.errors import Refused
from insights.models import LiveActionEntry
from insights.plans import entries
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.stages import Stage

router = APIRouter(prefix="/v1/live-actions", tags=["live actions"])

MOST_MINOR = 10**12
Text = Annotated[str, Field(max_length=2_000)]


class Words(BaseModel):
    """What is read, in one language. ``cta_href``: a path, an address, or @contact, @policy, @cart, @shelf."""

    model_config = ConfigDict(extra="forbid")

    title: Text
    body: Text
    cta_label: Text = ""
    cta_href: Annotated[str, Field(max_length=500)] = ""
    dismiss_label: Text = Field("", description='Left out: "Close" in that language.')
    thanks: Text = ""
    input_label: Text = Field("", description='Over the field for an address. Left out: "E-mail" in that language.')
    consent_label: Text = Field("", description="Given, the visitor is asked for an address, with this beside the box.")


class IncentiveIn(BaseModel):
    """What is given away, and how much of it."""

    model_config = ConfigDict(extra="forbid")

    percent: Whole = Field(0, ge=0, le=90, description="Off the cart, by a single-use code.")
    cost_minor: Whole = Field(0, ge=0, le=MOST_MINOR, description="What it costs on top.")
    valid_days: Whole = Field(7, ge=1, le=365)
    margin_floor: Number = Field(0.0, ge=0, le=1, description="Share of the cart that must be left of its margin.")
    budget_minor: Whole | None = Field(None, ge=0, le=MOST_MINOR, description="Most that is given away a day (UTC).")
    per_visitor: Whole = Field(1, ge=1, le=1_000, description="Codes that one visitor ever gets.")
    per_email: Whole | None = Field(
        None,
        ge=1,
        le=1_000,
        description="Codes that one mailbox ever gets, whatever the account or +tag; as per_visitor when left out.",
    )
    per_device: Whole = Field(3, ge=1, le=1_000, description="Codes a day for one network address and browser.")


class LiveActionIn(StoredBody):
    """A live action. It takes the place of the built-in ones of the same kind."""

    name: str = Field(min_length=1, max_length=80)
    action: LiveAction
    template: Template
    content: dict[str, Words] = Field(description='Locale → words; "default" for everybody else.', max_length=50)
    stages: list[Stage] = Field(description="The stages of a visitor in which it may be shown.")
    when: dict[str, Any] | str | None = Field(None, description="A condition, as JSON or text.")
    priority: Whole = Field(50, ge=0, le=100, description="For the rules: the highest that fits is shown.")
    enabled: Flag = True
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    group: str = Field("", max_length=60, description="Of the actions of a group one is shown a visit.")
    per_visitor_week: Whole | None = Field(None, ge=1, le=1_000)
    incentive: IncentiveIn | None = None


class LiveActionOut(LiveActionIn):
    """A live action as it stands. ``given_today``, ``spent_today_minor``: how often it gave something, and what."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    text: str | None = None
    given_today: int = 0
    spent_today_minor: int = 0


class BuiltInAction(BaseModel):
    """A kind of action that the shop has none of its own of: the built-in one is used."""

    action: LiveAction
    priority: int
    stages: list[Stage]


class LiveActionList(BaseModel):
    """The shop's own, and what is built in beside them."""

    live_actions: list[LiveActionOut]
    built_in: list[BuiltInAction]


@router.get("", response_model=LiveActionList)
async def list_live_actions(caller: SecretCaller, services: FromRequest) -> LiveActionList:
    """The catalogue."""
    async with services.database.transaction(caller.project_id) as tx:
        rows = await entries.list_entries(tx, caller.project_id)
        spent = await entries.spent_on(tx, caller.project_id, datetime.now(UTC))
    kinds = {row.action for row in rows}
    return LiveActionList(
        live_actions=[_out(row, spent.get(row.id)) for row in rows],
        built_in=[
            BuiltInAction(action=offer.action, priority=offer.priority, stages=sorted(offer.stages))
            for offer in DEFAULT_CATALOGUE.offers
            if offer.action.value not in kinds
        ],
    )


@router.post("", response_model=LiveActionOut, status_code=201)
async def create_live_action(
    body: LiveActionIn, caller: SecretCaller, services: FromRequest, response: Response
) -> LiveActionOut:
    """A new live action; running processes use it within seconds."""
    async with services.database.transaction(caller.project_id) as tx:
        row = await entries.create_entry(tx, caller.project_id, _entry(body), datetime.now(UTC))
    response.headers["etag"] = etag_of(row.version)
    return _out(row)


@router.get("/{entry_id}", response_model=LiveActionOut)
async def get_live_action(
    entry_id: UUID, caller: SecretCaller, services: FromRequest, response: Response
) -> LiveActionOut:
    """One live action, with its ETag."""
    async with services.database.transaction(caller.project_id) as tx:
        row = await entries.get_entry(tx, caller.project_id, entry_id)
        spent = await entries.spent_on(tx, caller.project_id, datetime.now(UTC))
    response.headers["etag"] = etag_of(row.version)
    return _out(row, spent.get(row.id))


@router.put("/{entry_id}", response_model=LiveActionOut)
async def change_live_action(
    entry_id: UUID,
    body: LiveActionIn,
    caller: SecretCaller,
    services: FromRequest,
    response: Response,
    if_match: IfMatch = None,
) -> LiveActionOut:
    """Replaces a live action as a whole. With If-Match only if nobody changed it meanwhile."""
    async with services.database.transaction(caller.project_id) as tx:
        row = await entries.change_entry(
            tx, caller.project_id, entry_id, _entry(body), datetime.now(UTC), version_of(if_match)
        )
    response.headers["etag"] = etag_of(row.version)
    return _out(row)


@router.delete("/{entry_id}", status_code=204)
async def delete_live_action(
    entry_id: UUID, caller: SecretCaller, services: FromRequest, if_match: IfMatch = None
) -> None:
    """Deletes a live action; what it gave away stays counted. With If-Match only if nobody changed it meanwhile."""
    async with services.database.transaction(caller.project_id) as tx:
        await entries.delete_entry(tx, caller.project_id, entry_id, version_of(if_match))


def _entry(body: LiveActionIn) -> Entry:
    when = body.when
    if isinstance(when, dict):
        try:
            understand(when)
        except ConditionInvalid as error:
            raise Refused(f"when: {error}", field="when") from None
    incentive = None if body.incentive is None else Incentive(**body.incentive.model_dump())
    return Entry(
        name=body.name,
        action=body.action,
        template=body.template,
        content={
            locale: {name: text for name, text in words.model_dump().items() if text}
            for locale, words in body.content.items()
        },
        stages=tuple(body.stages),
        when=when,
        priority=body.priority,
        enabled=body.enabled,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        group=body.group,
        per_visitor_week=body.per_visitor_week,
        incentive=incentive,
    )


def _out(row: LiveActionEntry, spent: tuple[int, int] | None = None) -> LiveActionOut:
    shown = row.definition | {
        "id": row.id,
        "version": row.version,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "spent_today_minor": spent[0] if spent else 0,
        "given_today": spent[1] if spent else 0,
    }
    when = row.definition.get("when")
    if when is not None:
        shown["text"] = when if isinstance(when, str) else to_words(understand(when))
    return LiveActionOut.model_validate(shown)
