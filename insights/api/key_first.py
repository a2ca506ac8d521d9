"""Refuses who may not ask for an operation before what they send is read: parsing a megabyte holds everybody else up.

FastAPI reads a body as JSON before it asks who sends it. The operations ask again (``api/caller``): what is let through
here is not let in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from fastapi.routing import APIRoute
from fastapi.security.utils import get_authorization_scheme_param
from sqlalchemy.exc import DBAPIError
from starlette.datastructures import Headers
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from insights.access.key_ring import KeyRing
from insights.access.operations import NEEDS, Door
from insights.access.roles import Role
from insights.api.caller import check_operator, key_for
from insights.api.problem import refusal
from insights.errors import WhyleftError

BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class KeyFirst:
    """Wraps the application, of which these are the ``routes``. ``operator_token``: the server's own."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute], keys: KeyRing, operator_token: str) -> None:
        self._app = app
        self._keys = keys
        self._operator_token = operator_token
        self._plain: set[str] = set()
        self._patterns: list[tuple[re.Pattern[str], str]] = []
        for route in routes:
            if isinstance(route, APIRoute):
                for operation in {f"{method} {route.path}" for method in (route.methods or set()) - BODILESS}:
                    if "{" not in route.path:
                        self._plain.add(operation)
                    else:
                        method = operation.partition(" ")[0]
                        self._patterns.append((re.compile(f"{method} {route.path_regex.pattern[1:]}"), operation))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in BODILESS:
            try:
                await self._check(scope)
            except WhyleftError as error:
                await refusal(error)(scope, receive, send)
                return
            except (DBAPIError, OSError, TimeoutError):
                # Nobody knows the key at the moment; the operation says so.
                pass
        await self._app(scope, receive, send)

    async def _check(self, scope: Scope) -> None:
        operation = self._operation(f"{scope['method']} {scope['path']}")
        need = NEEDS.get(operation) if operation is not None else None
        if operation is None or (need is not Door.OPERATOR and not isinstance(need, Role)):
            return
        scheme, credentials = get_authorization_scheme_param(Headers(scope=scope).get("authorization"))
        given = credentials if scheme.lower() == "bearer" and credentials else None
        if need is Door.OPERATOR:
            check_operator(self._operator_token, given)
        else:
            await key_for(self._keys, given, operation)

    def _operation(self, asked: str) -> str | None:
        if asked in self._plain:
            return asked
        return next((operation for pattern, operation in self._patterns if pattern.match(asked)), None)
