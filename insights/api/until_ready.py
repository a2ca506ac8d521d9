"""Holds requests off until the process can store what they bring."""

from __future__ import annotations

from fastapi import Response
from starlette.types import Receive, Scope, Send

from insights.api import problem
from insights.api.gate import Gate
from insights.errors import Unavailable
from insights.traffic.refusal import Refusal


class UntilReady:
    """Turns requests away until the schema is the one that this code writes: what it cannot store it must not refuse
    for good. Whether it lives and what it waits for can be asked meanwhile."""

    OPEN = ("/healthz", "/readyz", "/metrics")

    def __init__(self, app: Gate) -> None:
        self._app = app
        self._ready = False

    def open(self) -> None:
        """From now on every request is let through."""
        self._ready = True

    def refusal_of(self, scope: Scope) -> Refusal | None:
        """How a request is refused that need not be begun."""
        return self._app.refusal_of(scope) if self._ready else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._ready or scope["type"] != "http" or scope["path"] in self.OPEN:
            await self._app(scope, receive, send)
            return
        error = Unavailable("This process is starting. Nothing was stored; send the same request again.")
        body = problem.problem(error.status, error.title, error.detail)
        await Response(body, error.status, problem.headers_of(error), problem.MEDIA_TYPE)(scope, receive, send)
