"""Bodies whose texts are stored: what PostgreSQL cannot hold is refused by name, not by the database; fields that there
are none of by the thousand are refused before each of them is complained about."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, model_validator

from insights.events.storable import unstorable

MOST_UNKNOWN: Final = 50
"""Fields without a meaning that are looked at one by one: of a megabyte of them that takes most of a second."""


class StoredBody(BaseModel):
    """A request's body. Unknown fields, NUL characters and halves of characters are refused."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _fit_to_be_stored(cls, document: Any) -> Any:
        if not isinstance(document, dict):
            return document
        if len(document) > len(cls.model_fields) + MOST_UNKNOWN:
            raise ValueError(f"has {len(document)} fields; send only those that there are")
        if (problem := unstorable(document)) is not None:
            raise ValueError(problem)
        return document
