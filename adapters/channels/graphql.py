"""GraphQL over HTTP: one call, and the errors that come inside a success."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.channels.line import Answer, Request, json_request


def graphql(
    url: str,
    document: str,
    variables: Mapping[str, object],
    headers: Mapping[str, str],
    *,
    harmless: bool = False,
) -> Request:
    """The request of one operation. Raises ValueError or TypeError for what JSON cannot say."""
    body = {"query": document, "variables": dict(variables)}
    return json_request("POST", url, body, headers=headers, harmless=harmless)


def data_of(answer: Answer, *path: str) -> Any:
    """What stands at ``path`` of the answer's data; None where it does not reach."""
    found: Any = answer.object.get("data")
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def errors_of(answer: Answer) -> list[Mapping[str, Any]]:
    """The errors of an answer, whatever its status."""
    found = answer.object.get("errors")
    return [error for error in found if isinstance(error, Mapping)] if isinstance(found, list) else []


def codes_of(errors: list[Mapping[str, Any]]) -> set[str]:
    """Their codes and types, in capitals."""
    extensions = [error.get("extensions") for error in errors]
    known = [part for part in extensions if isinstance(part, Mapping)]
    return {str(part[name]).upper() for part in known for name in ("code", "type") if name in part}
