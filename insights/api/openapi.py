"""Writes the OpenAPI document: what FastAPI knows, and the errors that any operation may answer with."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi

from insights.api.problem import MEDIA_TYPE

_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What went wrong and what to do about it (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence that says what to do."},
        "field": {"type": "string", "description": "The part of the request that is meant."},
        "faults": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Everything wrong with it, one by one.",
        },
    },
}
_ERRORS: Final = {
    "4XX": "The request cannot be carried out as it is.",
    "503": "Nothing was done. Send the same again after Retry-After seconds.",
}


def write_openapi(app: FastAPI) -> None:
    """From now on ``app.openapi()`` is that document, and GET /openapi.json answers with it.

    Both are made once: it is long, and anybody may ask for it.
    """
    written: list[bytes] = []

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            made.setdefault("components", {}).setdefault("schemas", {})["Problem"] = _PROBLEM
            for operations in made["paths"].values():
                for operation in operations.values():
                    _with_errors(operation)
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        if not written:
            written.append(msgspec.json.encode(document()))
        return Response(written[0], media_type="application/json")


def _with_errors(operation: dict[str, Any]) -> None:
    responses = operation.setdefault("responses", {})
    # FastAPI's own idea of a refusal is not what this application answers.
    responses.pop("422", None)
    for status, sentence in _ERRORS.items():
        responses.setdefault(status, {"description": sentence})
    for status, response in responses.items():
        if status[0] in "45" and "content" not in response:
            response["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
