"""Where a visit's device stands in the database: the SQL twin of ``stored_fields.device_of``."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Integer, case, cast, func
from sqlalchemy.dialects.postgresql import array

from insights.segments.stored_fields import PHONE_PX, TABLET_PX


def device_column(client: Any) -> ColumnElement[str]:
    """phone, tablet or desktop, or NULL where the window's width is not known. ``client``: a JSONB expression."""
    viewport = client["viewport"].astext
    # Matching and then splitting takes a third of the time of substring() with a pattern.
    width = case(
        (viewport.op("~")(r"^[0-9]{1,5}x[0-9]{1,5}$"), cast(func.split_part(viewport, "x", 1), Integer)),
    )
    # Which of the three is worked out once; comparing again and again would split the text each time.
    place = func.width_bucket(width, array([PHONE_PX, TABLET_PX], type_=Integer))
    return case({0: "phone", 1: "tablet", 2: "desktop"}, value=place)
