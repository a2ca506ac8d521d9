"""Decides whether two JSON documents are the same one: ``true`` is not 1, and the order of names says nothing."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy.dialects.postgresql import JSONB


class Document(JSONB):
    """A column of JSON. What is set is written unless it is the same document: Python takes ``True`` for 1."""

    def compare_values(self, x: Any, y: Any) -> bool:
        return same(x, y)


def same(one: object, other: object) -> bool:
    """Whether storing ``other`` in the place of ``one`` would change nothing."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
