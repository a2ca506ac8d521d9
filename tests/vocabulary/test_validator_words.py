"""What the validator refuses is told in words that need no knowledge of it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from insights.vocabulary.validator_words import asked


@pytest.mark.parametrize(
    ("kind", "given", "says"),
    [
        (Annotated[int, Field(le=90)], 95, "write at most 90"),
        (Annotated[float, Field(ge=0.5)], 0.1, "write at least 0.5"),
        (Annotated[float, Field(gt=0)], 0, "write more than 0"),
        (Annotated[timedelta, Field(lt=timedelta(days=90))], "P91D", "write less than 90 days"),
        (Annotated[str, Field(min_length=1)], "", "write at least 1 character"),
        (Annotated[str, Field(max_length=2)], "abc", "write at most 2 characters"),
        (Annotated[list[int], Field(max_length=1)], [1, 2], "give at most 1"),
        (int, 7.5, "write a whole number"),
        (int, "seven", "write a whole number"),
        (float, "7,5", "write a number"),
        (bool, "perhaps", "write true or false"),
        (str, 5, "write a text"),
        (list[str], "a", "give a list"),
        (dict[str, str], [], 'give an object, such as {"name": "value"}'),
        (UUID, "x", "give an id of 32 hexadecimal digits"),
        (datetime, "today", 'write a time such as "2026-11-22T09:00:00Z"'),
        (date, "today", 'write a day such as "2026-11-22"'),
        (time, "noon", 'write a time of day such as "09:30"'),
        (timedelta, "4h", 'write a duration such as "PT1H" (an hour) or "P2D" (two days)'),
        (Literal["a", "b"], "c", "use 'a' or 'b'"),
    ],
)
def test_each_kind_of_error_says_what_to_write(kind: Any, given: Any, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(given)
    assert asked(dict(caught.value.errors()[0])) == says
