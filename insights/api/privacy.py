"""What a project keeps of its visitors, and what somebody asks for who is one, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlalchemy.dialects.postgresql import insert

from adapters.postgres.partitions import FEWEST_DAYS
from insights.api.caller import SecretCaller
from insights.api.given import Whole
from insights.api.services import FromRequest
from insights.api.stored import StoredBody
from insights.errors import Refused
from insights.models import PrivacySetting
from insights.privacy import elsewhere, requests
from insights.privacy.export import written

router = APIRouter(prefix="/v1/privacy", tags=["privacy"])

MOST_NAMES = 200


class PrivacySettings(StoredBody):
    """Whatever is given changes, the rest stays. null goes back to what the server does."""

    keep_days: Whole | None = Field(None, ge=FEWEST_DAYS, le=36_500, description="Visits older than that are erased.")
    extra_fields: list[Annotated[str, Field(min_length=1, max_length=200)]] | None = Field(
        None,
        max_length=MOST_NAMES,
        description="Props beyond the event catalogue that are kept, as name or type.name; null keeps all, [] none.",
    )


class PrivacySettingsOut(BaseModel):
    """What holds for the project. ``keep_days`` null: for ever."""

    keep_days: int | None
    extra_fields: list[str] | None
    own: list[str]


class PersonIn(StoredBody):
    """Who asks, by what the shop knows of them. All visitors who are this person are meant."""

    kind: Literal["erase", "export"]
    visitor: UUID | None = None
    user_id: str | None = Field(None, min_length=1, max_length=255)
    email: str | None = Field(None, min_length=3, max_length=254)
    phone: str | None = Field(None, min_length=3, max_length=40)
    orders: list[str] = Field(default_factory=list, max_length=MOST_NAMES)


class PersonAsked(BaseModel):
    """Taken down. An erasure is carried out within a minute or two; an export waits at ``…/{id}/export``."""

    id: UUID


class ProviderErasureOut(BaseModel):
    """Where somebody's data was handed to, and what became of it there. ``failed`` and ``by_hand`` need a person;
    ``said`` tells why and where. ``nameless``: nothing there can be found by a name. ``channel_id`` null: it is the
    server's own."""

    id: UUID
    channel_id: UUID | None
    name: str
    kind: str
    status: Literal["waiting", "done", "by_hand", "kept", "nameless", "failed"]
    said: str
    attempts: int
    asked_at: datetime
    told_at: datetime | None
    due_at: datetime | None


class PrivacyRequestOut(BaseModel):
    """What somebody asked for. ``outcome``: rows of each table that were erased or handed over; ``providers``: what
    each connected one said to an erasure."""

    id: UUID
    kind: str
    who: dict[str, Any]
    asked_by: str
    received_at: datetime
    done_at: datetime | None
    outcome: dict[str, Any]
    providers: list[ProviderErasureOut]


class PrivacyRequestList(BaseModel):
    """Requests, newest first."""

    requests: list[PrivacyRequestOut]


class ResolvedIn(StoredBody):
    """What a person decides: ``retry`` asks the provider again, ``done`` says that it was done there by hand."""

    do: Literal["retry", "done"]
    by: str | None = Field(None, min_length=1, max_length=200, description="Who did it.")


@router.get("/settings", response_model=PrivacySettingsOut)
async def get_privacy_settings(caller: SecretCaller, services: FromRequest) -> PrivacySettingsOut:
    """For how long visits are kept, and which fields of them."""
    async with services.database.transaction(caller.project_id) as tx:
        row = await tx.get(PrivacySetting, caller.project_id)
    own = [name for name in PrivacySettings.model_fields if row is not None and getattr(row, name) is not None]
    days = (row.keep_days if row is not None else None) or services.settings.keep_days or None
    return PrivacySettingsOut(keep_days=days, extra_fields=row.extra_fields if row is not None else None, own=own)


@router.patch("/settings", response_model=PrivacySettingsOut)
async def change_privacy_settings(
    change: PrivacySettings, caller: SecretCaller, services: FromRequest
) -> PrivacySettingsOut:
    """Changes them. Fields are dropped from the next events on; what is too old is erased within the hour."""
    given: dict[str, Any] = change.model_dump(exclude_unset=True)
    if given:
        values = {**given, "updated_at": datetime.now(UTC)}
        async with services.database.transaction(caller.project_id) as tx:
            await tx.execute(
                insert(PrivacySetting)
                .values(project_id=caller.project_id, **values)
                .on_conflict_do_update(index_elements=[PrivacySetting.project_id], set_=values)
            )
    return await get_privacy_settings(caller, services)


@router.post("/requests", response_model=PersonAsked, status_code=201)
async def ask_for_somebody(person: PersonIn, caller: SecretCaller, services: FromRequest) -> PersonAsked:
    """Takes down that somebody wants what is stored of them, or wants it erased."""
    who = person.model_dump(mode="json", exclude={"kind", "visitor"}, exclude_none=True)
    if person.visitor is not None:
        who["visitors"] = [str(person.visitor)]
    if not any(who.values()):
        raise Refused("visitor: name the person by visitor, user_id, email, phone or orders.", field="visitor")
    async with services.database.transaction(caller.project_id) as tx:
        identifier = await requests.ask(
            tx, caller.project_id, f"{person.kind}_person", who, "the shop", datetime.now(UTC)
        )
    return PersonAsked(id=identifier)


@router.get("/requests", response_model=PrivacyRequestList)
async def get_privacy_requests(caller: SecretCaller, services: FromRequest) -> PrivacyRequestList:
    """What people asked for, what was done about it here, and what every connected provider said to an erasure."""
    async with services.database.transaction(caller.project_id) as tx:
        found = await requests.list_requests(tx, caller.project_id)
        reports = await elsewhere.reports_of(tx, caller.project_id, [row.id for row in found])
        return PrivacyRequestList(
            requests=[
                PrivacyRequestOut(
                    **{name: getattr(row, name) for name in PrivacyRequestOut.model_fields if name != "providers"},
                    providers=[ProviderErasureOut(**elsewhere.plain(told)) for told in reports.get(row.id, [])],
                )
                for row in found
            ]
        )


@router.get("/requests/{request_id}/export", response_model=dict[str, Any])
async def get_export(request_id: UUID, caller: SecretCaller, services: FromRequest) -> Response:
    """Everything that is stored of who asked, by table. The request counts as done."""
    async with services.database.transaction(caller.project_id) as tx:
        exported = await requests.answer_export(tx, caller.project_id, request_id, datetime.now(UTC))
    return Response(await written(exported), media_type="application/json")


@router.post("/providers/{erasure_id}", response_model=ProviderErasureOut)
async def resolve_erasure(
    erasure_id: UUID, given: ResolvedIn, caller: SecretCaller, services: FromRequest
) -> ProviderErasureOut:
    """Tries an erasure at a provider again that failed, or takes down that somebody did it there by hand."""
    async with services.database.transaction(caller.project_id) as tx:
        row = await elsewhere.resolve(
            tx, caller.project_id, erasure_id, given.do, given.by or "the shop", datetime.now(UTC)
        )
        return ProviderErasureOut(**elsewhere.plain(row))
