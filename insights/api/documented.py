"""The documentation of POST /v1/events: what OpenAPI says of the endpoint that ``ingest.py`` answers."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from insights.vocabulary.actions import LiveAction

router = APIRouter(prefix="/v1", tags=["events"])


class PageIn(BaseModel):
    """The page that the batch was sent from."""

    url: str | None = None
    referrer: str | None = None
    title: str | None = None


class EventIn(BaseModel):
    """One event. The types and their props are in docs/events.md; other types are kept as `custom`."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": True})

    id: UUID = Field(description="UUIDv7; a second event with the same id in the same session changes nothing.")
    t: float = Field(description="Client clock, epoch milliseconds.")
    type: str = Field(min_length=1, max_length=200)
    seq: int = Field(0, ge=0, description="Counts up within a tab.")
    props: dict[str, Any] = Field(default_factory=dict)
    url: str | None = Field(None, max_length=4096)


class BatchIn(BaseModel):
    """Events of one visitor in one session."""

    visitor: UUID
    session: UUID = Field(description="UUIDv7: its time decides where the session is stored.")
    events: list[EventIn] = Field(max_length=500)
    tab: str = Field("", max_length=100)
    sent_at: float | None = Field(None, description="Client clock when this attempt left, epoch milliseconds.")
    page: PageIn | None = None


class RejectedOut(BaseModel):
    """An event that was not accepted. It is kept, and can be replayed once the cause is mended."""

    id: str | None
    error: str


class UnreadOut(BaseModel):
    """An event that was accepted, and in which something counts for nothing: it is said under a name that is none of
    ours."""

    id: UUID
    error: str


class UnverifiedOut(BaseModel):
    """An event that was accepted, and whose claim to be somebody was not believed: the project requires signatures."""

    id: UUID
    error: str


class ActionOut(BaseModel):
    """The one thing worth showing now."""

    decision_id: UUID
    action: LiveAction
    template: Literal["banner", "popup", "card", "form", "carousel"]
    content: dict[str, Any]


class BatchOut(BaseModel):
    """What became of a batch. Everything accepted is committed."""

    accepted: int
    duplicates: int
    rejected: list[RejectedOut]
    action: ActionOut | None
    unverified: list[UnverifiedOut] | None = Field(None, description="Left out where there are none.")
    unread: list[UnreadOut] | None = Field(None, description="Left out where there are none.")
    explained: dict[str, Any] | None = Field(
        None, description="With WHYLEFT_EXPLAIN_ANSWERS only: stage, intent, profile, decision and why."
    )


@router.post(
    "/events",
    response_model=BatchOut,
    responses={
        400: {"description": "Nothing of the body can be kept; the problem names the field."},
        401: {"description": "The key is missing, unknown or revoked."},
        403: {"description": "The page's origin is not allowed for this project."},
        413: {"description": "The body is too large, before or after decompression."},
        503: {"description": "Nothing was stored. Send the same body again after Retry-After seconds."},
    },
)
async def post_events(batch: BatchIn, key: str | None = Query(None, description="The write key.")) -> BatchOut:
    """Stores events and answers with the one action worth showing, or null.

    Accepts `application/json` and `text/plain` (a beacon's type, which needs no preflight), plain, gzip or deflate.
    The key may also be a bearer token.
    """
    raise RuntimeError("insights.api.ingest answers this path before the application is asked")
