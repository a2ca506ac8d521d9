"""Conditions over HTTP: the fields there are, the JSON Schema, and what a condition somebody wrote means."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import select

from flows.conditions import Explanation, fields_document, json_schema, known_words, to_words, write
from insights.api.caller import SecretCaller
from insights.api.services import FromRequest
from insights.api.whole_names import may_ask
from insights.conditions.fields import FIELDS, condition
from insights.conditions.places import Place
from insights.errors import NotFound
from insights.models import Visitor
from insights.segments.preview import explain_visitor
from insights.segments.store import conditions_of_segments, refuse_unknown_segments
from insights.segments.tags import known_tags

router = APIRouter(prefix="/v1/conditions", tags=["conditions"])

Written = dict[str, Any] | str
"""A condition as its JSON form, or as its text."""


class CheckIn(BaseModel):
    """A condition to look at: its JSON form or its text, and where it is to be used."""

    when: Written = Field(description="The JSON form, or the text.")
    place: Place = Place.SEGMENT
    visitor: UUID | None = Field(None, description="Also say whether it is true of this visitor now, and why.")


class PartOut(BaseModel):
    """One part of a condition with its truth (null is unknown) and what was found."""

    pointer: str
    says: str
    truth: bool | None
    found: str | None = None
    parts: list[PartOut] = Field(default_factory=list)


class AnswerOut(BaseModel):
    """Whether it is true (null is unknown), in short why, and every part."""

    truth: bool | None
    why: str
    explanation: PartOut


class CheckOut(BaseModel):
    """The condition in both forms."""

    when: dict[str, Any]
    text: str
    answer: AnswerOut | None = None


@router.get("/schema")
async def schema() -> dict[str, Any]:
    """The JSON Schema of the JSON form."""
    return json_schema()


@router.get("/fields")
async def fields(
    caller: SecretCaller,
    services: FromRequest,
    place: Place | None = Query(None, description="Only what is known there."),
) -> dict[str, Any]:
    """Every field with its type, operators and arguments; tags and segments with those there are now."""
    document = fields_document(FIELDS, place.value if place else None)
    async with services.database.transaction(caller.project_id) as tx:
        suggestions = {
            "visitor.tags": await known_tags(tx, caller.project_id),
            "visitor.segments": sorted(await conditions_of_segments(tx, caller.project_id)),
        }
    for field in document["fields"]:
        if found := suggestions.get(field["name"]):
            field["suggests"] = found
    return document


@router.post("/check", response_model=CheckOut)
async def check(body: CheckIn, caller: SecretCaller, services: FromRequest) -> CheckOut:
    """Both forms of a condition, or everything wrong with it; with a visitor, whether it is true of them and why."""
    found = condition(body.when, body.place)
    if body.visitor is not None:
        may_ask(caller, [found])
    async with services.database.transaction(caller.project_id) as tx:
        refuse_unknown_segments(found, await conditions_of_segments(tx, caller.project_id))
        answer = None
        if body.visitor is not None:
            known = await tx.scalar(
                select(Visitor.id).where(Visitor.project_id == caller.project_id, Visitor.id == body.visitor)
            )
            if known is None:
                raise NotFound(f"There is no visitor {body.visitor} in this project.")
            explained = await explain_visitor(tx, caller.project_id, body.visitor, found, datetime.now(UTC))
            answer = answer_out(explained)
    return CheckOut(when=write(found), text=to_words(found), answer=answer)


def answer_out(explained: Explanation) -> AnswerOut:
    """An explanation as JSON."""
    return AnswerOut(truth=explained.truth, why=explained.why(), explanation=_part(explained))


def _part(explained: Explanation) -> PartOut:
    return PartOut(
        pointer=explained.pointer,
        says=explained.says,
        truth=explained.truth,
        found=None if explained.found is None else known_words(explained.found),
        parts=[_part(part) for part in explained.parts],
    )
