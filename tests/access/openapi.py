"""The operations of the application as its OpenAPI document lists them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Operation:
    """One operation: ``name`` is its key in NEEDS, ``parameters`` are those of its path."""

    name: str
    method: str
    path: str
    document: dict[str, Any]

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    def url(self, values: dict[str, str]) -> str:
        """The path with its parameters filled in."""
        return re.sub(r"{(\w+)}", lambda found: values[found[1]], self.path)


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Every operation of an OpenAPI document."""
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            if method in ("get", "post", "put", "patch", "delete"):
                yield Operation(f"{method.upper()} {path}", method.upper(), path, described)
