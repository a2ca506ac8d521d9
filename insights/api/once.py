"""Does what a POST asks for once: repeated with the same Idempotency-Key it gets the first answer and does nothing.

The answer is stored in the transaction that does the work: either both are there, or neither. After the IETF draft
"The Idempotency-Key HTTP Header Field".
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from insights.access.keys import ResolvedKey
from insights.api.caller import SecretCaller
from insights.api.services import FromRequest
from insights.errors import Conflict, Refused
from insights.models import AnsweredRequest
from insights.wiring.services import Services

KEPT: Final = timedelta(hours=24)
LONGEST_KEY: Final = 255


@dataclass(frozen=True, slots=True)
class Answer:
    """What a piece of work answers with."""

    body: BaseModel
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


class Once:
    """The request's key, and the way to do its work under it."""

    def __init__(self, request: Request, caller: ResolvedKey, services: Services, key: str | None) -> None:
        self._request = request
        self._project_id = caller.project_id
        self._database = services.database
        self._key = key

    async def do(self, work: Callable[[AsyncSession], Awaitable[Answer]]) -> Response:
        """The answer of ``work``, or the stored one of the same request. Raises Conflict for another request under
        the same key. What fails stores nothing and can be tried again."""
        async with self._database.transaction(self._project_id) as tx:
            if self._key is None:
                return _response(await work(tx))
            fingerprint = await self._fingerprint()
            # Two at once: the second waits for the first, and finds its answer.
            name = f"{self._project_id}/{self._key}"
            await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 4))))
            now = datetime.now(UTC)
            await tx.execute(
                delete(AnsweredRequest).where(
                    AnsweredRequest.project_id == self._project_id, AnsweredRequest.at < now - KEPT
                )
            )
            stored = await tx.get(AnsweredRequest, (self._project_id, self._key))
            if stored is not None:
                if stored.fingerprint != fingerprint:
                    raise Conflict(
                        "Idempotency-Key: this key came with another request before; take a new one for each request."
                    )
                headers = {**stored.headers, "idempotent-replayed": "true"}
                return Response(stored.body, stored.status, headers, "application/json")
            response = _response(await work(tx))
            tx.add(
                AnsweredRequest(
                    project_id=self._project_id,
                    key=self._key,
                    fingerprint=fingerprint,
                    status=response.status_code,
                    headers={name: response.headers[name] for name in ("etag", "location") if name in response.headers},
                    body=bytes(response.body).decode(),
                    at=now,
                )
            )
            return response

    async def _fingerprint(self) -> str:
        request = self._request
        body = await request.body()
        parts: list[Any] = [request.method, request.url.path, request.url.query, request.headers.get("if-match", "")]
        return hashlib.sha256("\n".join(parts).encode() + b"\n" + body).hexdigest()


def _response(answer: Answer) -> Response:
    return Response(answer.body.model_dump_json(by_alias=True), answer.status, dict(answer.headers), "application/json")


async def _once(
    request: Request,
    caller: SecretCaller,
    services: FromRequest,
    idempotency_key: Annotated[
        str | None, Header(description="Repeated with the same key within a day, the request is answered as before.")
    ] = None,
) -> Once:
    if idempotency_key is not None and not (
        0 < len(idempotency_key) <= LONGEST_KEY and idempotency_key.isascii() and idempotency_key.isprintable()
    ):
        raise Refused("Idempotency-Key: send 1 to 255 printable ASCII characters.", field="Idempotency-Key")
    return Once(request, caller, services, idempotency_key)


OnceOnly = Annotated[Once, Depends(_once)]
