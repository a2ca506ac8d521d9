"""Every number of every request's body, as the application's operations list them: a number, not what could be one."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError

from insights.api import (
    flow_builder,
    flow_preview,
    flow_test_send,
    insight_settings,
    keys,
    live_actions,
    patterns,
    privacy,
    shop,
)
from insights.api.given import Number, Whole

ROOMS = (flow_builder, flow_preview, flow_test_send, insight_settings, keys, live_actions, patterns, privacy, shop)


def bodies() -> dict[str, Any]:
    """Operation → the model of its body."""
    found = {}
    for room in ROOMS:
        for route in room.router.routes:
            if isinstance(route, APIRoute) and route.body_field is not None:
                found[f"{min(route.methods or ())} {route.path}"] = route.body_field.field_info.annotation
    return found


def numbers(kind: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The places of a body's numbers, and what stands there."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        for one in get_args(kind):
            if one is not NoneType:
                yield from numbers(one, place)
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            yield from numbers(field.annotation, (*place, name))
    elif kind in (int, float):
        yield place, kind


def within(place: tuple[str, ...], value: Any) -> Any:
    for name in reversed(place):
        value = {name: value}
    return value


def faults(body: Any, place: tuple[str, ...], value: Any) -> list[str]:
    try:
        TypeAdapter(body).validate_python(within(place, value))
    except ValidationError as error:
        return [each["msg"] for each in error.errors() if each["loc"][: len(place)] == place]
    return []


def test_a_bodys_numbers_are_written_as_numbers() -> None:
    looked_at = set()
    for operation, body in bodies().items():
        for place, _ in numbers(body):
            for value in (True, False, "5", "0.25", "", [5]):
                assert "number" in " ".join(faults(body, place, value)), (operation, place, value)
            looked_at.add(place[-1])
    assert looked_at >= {
        "holdout",
        "margin_rate",
        "percent",
        "budget_minor",
        "keep_days",
        "overlap_seconds",
        "threshold",
    }


@pytest.mark.parametrize(("given", "taken"), [(5, 5), (5.0, 5), (-3, -3)])
def test_a_whole_number_may_have_a_point(given: float, taken: int) -> None:
    number = TypeAdapter(Whole).validate_python(given)
    assert (number, type(number)) == (taken, int)
    with pytest.raises(ValidationError):
        TypeAdapter(Whole).validate_python(given + 0.5)


def test_a_number_is_any() -> None:
    assert TypeAdapter(Number).validate_python(1) == 1.0
    assert TypeAdapter(Number).validate_python(0.25) == 0.25
