"""What every part of a definition is made of: closed models, names of steps, conditions, times of day, zones."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema

from flows.conditions import All, AnyOf, Check, Condition, Not, understand, write

PLACE: Final = "flow"
"""Where the conditions of flows are evaluated, to the registry of fields."""

LONGEST: Final = timedelta(days=365)


def _written(value: object) -> Condition:
    return value if isinstance(value, Check | All | AnyOf | Not) else understand(value)


WrittenCondition = Annotated[
    Condition,
    PlainValidator(_written),
    PlainSerializer(write, return_type=dict[str, Any]),
    WithJsonSchema(
        {
            "title": "Condition",
            "description": "The JSON form (GET /v1/conditions/schema) or the text of a condition.",
            "anyOf": [{"type": "object"}, {"type": "string"}],
        }
    ),
]
"""A condition given as its JSON form or its text, kept as the condition, written as JSON."""

StepId = Annotated[str, Field(min_length=1, max_length=60, pattern="^[a-z0-9_]+$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Name = Annotated[str, Field(min_length=1, max_length=100)]
PathPattern = Annotated[str, Field(min_length=1, max_length=500, pattern="^/")]
"""A path on the shop's site; ``*`` in it stands for anything."""

VISITOR_ZONE: Final = "visitor"


def _minutes_only(value: time) -> time:
    if value.tzinfo is not None or value.second or value.microsecond:
        raise ValueError("write a time of day such as 09:30, without seconds and zone")
    return value


Clock = Annotated[
    time,
    AfterValidator(_minutes_only),
    PlainSerializer(lambda at: f"{at:%H:%M}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$", "examples": ["09:30"]}),
]
"""A time of day."""


def _is_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("write an IANA time zone such as Europe/Berlin") from None
    return value


ZoneName = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_is_zone)]
"""An IANA time zone."""
AnyZone = Annotated[
    str,
    Field(min_length=1, max_length=60),
    AfterValidator(lambda value: value if value == VISITOR_ZONE else _is_zone(value)),
]
"""An IANA time zone, or "visitor": the one where the visitor is."""


class Part(BaseModel):
    """Base of all parts: never changed, and an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
