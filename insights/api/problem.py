"""Errors as application/problem+json (RFC 9457): a title, a sentence that says what to do, the field where known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from adapters.postgres.faults import first_line, gone, is_read_only
from adapters.postgres.personal import KeyUnknown
from flows.conditions import ConditionInvalid
from flows.errors import Fault, FlowInvalid
from insights.errors import TooMany, Unavailable, WhyleftError
from insights.vocabulary.validator_words import asked

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"

AWAY: Final = (
    "The database cannot be reached. Send the same request again in a moment; if it was to change something, look "
    "first whether it did."
)
ONLY_READS: Final = (
    "The database takes no writes: it is a standby, or set to read only. Nothing was changed. Have it take writes, or "
    "name the server that does in WHYLEFT_DATABASE_URL; then send the same request again."
)

_NO_TEXT: Final = "There was an error parsing the body"
"""FastAPI's word for a body that is no text at all."""


def problem(status: int, title: str, detail: str, field: str | None = None, faults: Sequence[Fault] = ()) -> bytes:
    """The body of a problem. ``faults``: everything wrong with a condition, each with its place and a fix."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": _sayable(detail)}
    if field is not None:
        body["field"] = _sayable(field)
    if faults:
        body["faults"] = [
            {
                name: _sayable(value) if isinstance(value, str) else value
                for name, value in asdict(fault).items()
                if value is not None
            }
            for fault in faults
        ]
    return msgspec.json.encode(body)


def _sayable(text: str) -> str:
    # What was sent may be told back, and half of a surrogate pair cannot be written in UTF-8.
    return text.encode("utf-8", "backslashreplace").decode()


def headers_of(error: WhyleftError) -> dict[str, str]:
    """What a client must know besides the body."""
    if isinstance(error, Unavailable | TooMany):
        return {"retry-after": str(error.retry_after)}
    return {"www-authenticate": "Bearer"} if error.status == 401 else {}


def refusal(error: WhyleftError, more: Mapping[str, str] | None = None) -> Response:
    """What is answered to an error of ours, with ``more`` headers."""
    body = problem(error.status, error.title, error.detail, error.field, getattr(error, "faults", ()))
    return Response(body, error.status, {**headers_of(error), **(more or {})}, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Every error of ``app`` answers as a problem."""

    @app.exception_handler(WhyleftError)
    async def _ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, WhyleftError)  # noqa: S101  (narrows what FastAPI's signature widens)
        return refusal(error)

    @app.exception_handler(ConditionInvalid)
    async def _condition(request: Request, error: Exception) -> Response:
        assert isinstance(error, ConditionInvalid)  # noqa: S101
        body = problem(422, "The condition makes no sense", f"{error}.", "when", error.faults)
        return Response(body, 422, media_type=MEDIA_TYPE)

    @app.exception_handler(FlowInvalid)
    async def _flow(request: Request, error: Exception) -> Response:
        assert isinstance(error, FlowInvalid)  # noqa: S101
        count = len(error.faults)
        detail = f"{count} {'thing is' if count == 1 else 'things are'} wrong; faults says where, and how to mend it."
        body = problem(422, "The flow cannot be published", detail, "definition", error.faults)
        return Response(body, 422, media_type=MEDIA_TYPE)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        said = asked(first)
        if first["type"] == "json_invalid":
            field, said = "body", f"is not JSON at its character {first['loc'][-1]} ({first['ctx']['error']})"
        elif field == "body" and "json" not in request.headers.get("content-type", ""):
            said = "send JSON, with Content-Type: application/json"
        return Response(
            problem(422, "The request is malformed", f"{field}: {said}.", field), 422, media_type=MEDIA_TYPE
        )

    async def _database(request: Request, error: Exception) -> Response:
        if not gone(error):
            raise error
        log.warning("operation_without_database", path=request.url.path, error=first_line(error))
        return refusal(Unavailable(ONLY_READS if is_read_only(error) else AWAY, retry_after=5))

    for kind in (DBAPIError, PoolTimeout):
        app.add_exception_handler(kind, _database)

    @app.exception_handler(KeyUnknown)
    async def _sealed(request: Request, error: Exception) -> Response:
        log.error("sealed_with_another_key", path=request.url.path)
        body = problem(500, "Names and addresses cannot be opened", str(error))
        return Response(body, 500, media_type=MEDIA_TYPE)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        if error.detail == _NO_TEXT:
            packed = "content-encoding" in request.headers
            said = "content-encoding: send it plain; only events may be compressed" if packed else "send JSON in UTF-8"
            field = "content-encoding" if packed else "body"
            body = problem(400, "The request is malformed", f"The body cannot be read; {said}.", field)
            return Response(body, 400, media_type=MEDIA_TYPE)
        detail = f"{request.method} {request.url.path}: {error.detail}. The operations are listed at /docs."
        headers = dict(error.headers or {})
        return Response(problem(error.status_code, str(error.detail), detail), error.status_code, headers, MEDIA_TYPE)
