"""A request's flags and moments are taken as the document says them, and not what else could be read as one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from insights.api.given import Flag, Moment


@pytest.mark.parametrize("given", [0, 0.5, True, "0.5", "1700000000", "now", "2026-11-21T17:00:00", None, [], ""])
def test_a_moment_is_iso_8601_with_its_zone(given: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Moment).validate_python(given)


def test_a_plus_that_became_a_blank_on_its_way_is_told_how_to_be_written() -> None:
    with pytest.raises(ValidationError, match="%2B"):
        TypeAdapter(Moment).validate_python("2026-11-21T17:00:00 01:00")


def test_a_moment_that_is_written_out_is_taken() -> None:
    taken = TypeAdapter(Moment).validate_python("2026-11-21T17:00:00+01:00")
    assert taken == datetime(2026, 11, 21, 16, tzinfo=UTC)


@pytest.mark.parametrize("given", [0, 1, "no", "true", None, 0.0])
def test_a_flag_is_true_or_false(given: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Flag).validate_python(given)
