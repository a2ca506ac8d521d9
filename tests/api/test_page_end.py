"""Where a page ended is carried by an address as it stands, and read back; anything else is no end."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insights.vocabulary.page_end import PageEnd, read_page_end

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


ID = "0d7c5a1e-93f2-4b6e-8a41-5f6b7d2c9e10"
FIRST, LAST = datetime(1970, 1, 2), datetime(9999, 12, 30)  # noqa: DTZ001  (hypothesis adds the zone)


@given(st.datetimes(FIRST, LAST, timezones=ZONES), st.uuids())
def test_an_end_is_read_as_it_was_written(at: datetime, identifier: UUID) -> None:
    text = str(PageEnd(at, identifier))
    assert read_page_end(text) == (at, identifier)
    assert quote(text, safe=":,") == text


@pytest.mark.parametrize(
    "text", ["", ",", "2026-11-22", f"2026-11-22T00:00:00,{ID}", f"now,{ID}", "2026-11-22 00:00:00.5+00:00,x"]
)
def test_anything_else_is_none(text: str) -> None:
    assert read_page_end(text) is None


@given(st.text(max_size=100))
def test_no_text_raises(text: str) -> None:
    read_page_end(text)
