"""ETags made of a version that counts up, and the If-Match header that sends one back."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header

from insights.errors import Refused

IfMatch = Annotated[str | None, Header(description="The ETag that you read: the change is refused if it is older.")]


def etag_of(version: int) -> str:
    """The ETag of a version."""
    return f'"{version}"'


def version_of(if_match: str | None) -> int | None:
    """The version in an If-Match header; None where any will do. Raises Refused for what is no ETag of ours."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = re.fullmatch(r'(?:W/)?"([0-9]{1,9})"', if_match.strip())
    if found is None:
        raise Refused('If-Match: send the ETag as you got it, such as "3".', field="If-Match")
    return int(found[1])
