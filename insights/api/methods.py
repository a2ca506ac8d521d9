"""Answers requests by a method that an address does not take, and says which it takes: all of them, in one header.

An address written out is that one, never an id in the place of another's: DELETE /v1/flows/schema deletes no flow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from insights.api.problem import MEDIA_TYPE, problem

PREFIX: Final = "/v1/"


class Methods:
    """Wraps the application; what is no address of its routes goes through."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._plain: dict[str, set[str]] = {}
        self._patterns: dict[str, tuple[re.Pattern[str], set[str]]] = {}
        for route in routes:
            if isinstance(route, APIRoute):
                if "{" not in route.path:
                    self._plain.setdefault(route.path, set()).update(route.methods or ())
                else:
                    self._patterns.setdefault(route.path, (route.path_regex, set()))[1].update(route.methods or ())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            methods = self._methods(scope["path"])
            if methods is not None and scope["method"] not in methods:
                detail = f"{scope['method']} {scope['path'][:200]}: send {', '.join(sorted(methods))}."
                body = problem(405, "Method Not Allowed", detail)
                await Response(body, 405, {"allow": ", ".join(sorted(methods))}, MEDIA_TYPE)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _methods(self, path: str) -> set[str] | None:
        found = self._plain.get(path)
        if found is not None:
            return found
        fitting = [methods for pattern, methods in self._patterns.values() if pattern.match(path)]
        return set().union(*fitting) if fitting else None
