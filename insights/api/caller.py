"""Who calls a secret operation, and whether they may: the secret key in the Authorization header, and its role."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.routing import BaseRoute

from insights.access.keys import KeyRing, ResolvedKey
from insights.access.operations import NEEDS, scope_of
from insights.access.roles import Role
from insights.errors import KeyMissing, KeyRefused, NotAllowed

_bearer = HTTPBearer(auto_error=False, description="A project's secret key, wl_s_…")


class OperationUndeclared(RuntimeError):
    """An operation does not say who may ask for it."""


async def secret_caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> ResolvedKey:
    """The secret key of a request that may ask for this operation. Raises KeyMissing, KeyRefused or NotAllowed."""
    if credentials is None:
        raise KeyMissing("Send the project's secret key: Authorization: Bearer wl_s_….")
    keys: KeyRing = request.app.state.services.keys
    key = await keys.resolve(credentials.credentials)
    if key is None:
        raise KeyRefused("This key is unknown or was revoked. Make one with `whyleft keys create --kind secret`.")
    if key.role is None:
        raise KeyRefused("This is a write key, which can only report events. Send the project's secret key.")
    check(key, operation_of(request))
    return key


def operation_of(request: Request) -> str:
    """The operation of a request, such as ``GET /v1/sessions/{session_id}``."""
    return f"{request.method} {request.scope['route'].path}"


def check(key: ResolvedKey, operation: str) -> None:
    """Raises NotAllowed, saying which role or scope is missing."""
    need = NEEDS[operation]
    if key.role is None or not isinstance(need, Role) or not key.role.includes(need):
        raise NotAllowed(
            f"This key's role is {key.role}; {operation} needs {need}. An admin makes such a key with POST /v1/keys."
        )
    if key.scopes and scope_of(operation) not in key.scopes:
        raise NotAllowed(
            f"This key is limited to {', '.join(sorted(key.scopes))}; {operation} needs {scope_of(operation)}."
        )


def check_declared(routes: Iterable[BaseRoute]) -> None:
    """Raises OperationUndeclared for an operation of the OpenAPI document that does not say who may ask for it."""
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                if f"{method} {route.path}" not in NEEDS:
                    raise OperationUndeclared(
                        f"{method} {route.path} does not say who may ask for it: add it to NEEDS in "
                        "insights/access/operations.py."
                    )


SecretCaller = Annotated[ResolvedKey, Depends(secret_caller)]
