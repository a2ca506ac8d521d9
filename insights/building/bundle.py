"""A flow as one file: exported from one project, read into another."""

from __future__ import annotations

from typing import Any, Final

from insights.building.drafts import BuiltFlow
from insights.errors import Refused

FORMAT: Final = "whyleft-flow"
VERSION: Final = 1


def bundle(built: BuiltFlow) -> dict[str, Any]:
    """The draft of a flow, so that it can be read into another project."""
    return {"format": FORMAT, "version": VERSION, "flow": built.definition}


def flow_in(document: Any) -> dict[str, Any]:
    """The definition in such a file, or in a bare definition. Raises Refused."""
    if isinstance(document, dict) and document.get("format") == FORMAT:
        if document.get("version") != VERSION:
            raise Refused(f"version: this server reads version {VERSION} of the format.", field="version")
        document = document.get("flow")
    elif not isinstance(document, dict) or "steps" not in document:
        raise Refused(
            'format: this is no exported flow; it begins with {"format": "whyleft-flow", "version": 1, "flow": …}.',
            field="format",
        )
    if not isinstance(document, dict):
        raise Refused("flow: must be the definition of a flow, an object.", field="flow")
    return document
