"""Bodies whose texts are stored: what PostgreSQL cannot hold is refused by name, not by the database."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from insights.events.storable import unstorable


class StoredBody(BaseModel):
    """A request's body. Unknown fields, NUL characters and halves of characters are refused."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _fit_to_be_stored(cls, document: Any) -> Any:
        if isinstance(document, dict) and (problem := unstorable(document)) is not None:
            raise ValueError(problem)
        return document
