"""Who calls a secret operation, and whether they may: the secret key in the Authorization header, and its role."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Iterable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.routing import BaseRoute

from adapters.postgres.acting import Actor, acting
from insights.access.in_house import CALLER
from insights.access.key_ring import KeyRing
from insights.access.keys import ResolvedKey
from insights.access.operations import NEEDS, scope_of
from insights.access.roles import Role
from insights.api.parameters import check_parameters
from insights.errors import KeyMissing, KeyRefused, NotAllowed
from insights.traffic.addresses import truncated

_bearer = HTTPBearer(auto_error=False, description="A project's secret key, wl_s_…")
_operator = HTTPBearer(
    auto_error=False, scheme_name="OperatorToken", description="The server's WHYLEFT_OPERATOR_TOKEN."
)
SHORTEST_TOKEN = 32


class OperationUndeclared(RuntimeError):
    """An operation does not say who may ask for it."""


async def secret_caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> AsyncIterator[ResolvedKey]:
    """The secret key of a request that may ask for this operation; what the operation changes is noted as its doing.

    Raises KeyMissing, KeyRefused or NotAllowed; RequestValidationError for a parameter that the operation has not.
    """
    known: ResolvedKey | None = request.scope.get(CALLER)
    if known is not None:
        # Somebody at the viewer, which knows them and has noted who acts.
        check(known, operation_of(request))
        check_parameters(request)
        yield known
        return
    given = None if credentials is None else credentials.credentials
    key = await key_for(request.app.state.services.keys, given, operation_of(request))
    check_parameters(request)
    with acting(Actor("key", str(key.id), key.label, _network(request))):
        yield key


async def key_for(keys: KeyRing, given: str | None, operation: str) -> ResolvedKey:
    """What the bearer token ``given`` stands for, which may ask for this operation.

    Raises KeyMissing, KeyRefused or NotAllowed.
    """
    if given is None:
        raise KeyMissing("Send the project's secret key: Authorization: Bearer wl_s_….")
    key = await keys.resolve(given)
    if key is None:
        raise KeyRefused("This key is unknown or was revoked. Make one with `whyleft keys create --kind secret`.")
    if key.role is None:
        raise KeyRefused("This is a write key, which can only report events. Send the project's secret key.")
    check(key, operation)
    return key


async def operator_caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_operator)]
) -> AsyncIterator[None]:
    """Lets the server's operator through. Raises KeyMissing, KeyRefused or RequestValidationError, as above."""
    given = None if credentials is None else credentials.credentials
    check_operator(request.app.state.services.settings.operator_token, given)
    check_parameters(request)
    with acting(Actor("operator", None, "the operator's token", _network(request))):
        yield None


def check_operator(token: str, given: str | None) -> None:
    """Whether the bearer token ``given`` is the server's own ``token``. Raises KeyMissing or KeyRefused."""
    if given is None:
        raise KeyMissing("Only the server's operator may do this: Authorization: Bearer WHYLEFT_OPERATOR_TOKEN.")
    if len(token) < SHORTEST_TOKEN:
        raise KeyRefused(
            f"This is closed: WHYLEFT_OPERATOR_TOKEN is not set, or has fewer than {SHORTEST_TOKEN} characters."
        )
    if not hmac.compare_digest(given.encode(errors="replace"), token.encode()):
        raise KeyRefused("This is not the operator's token. Keys of a project do not open this.")


def _network(request: Request) -> str:
    return truncated(request.client.host) if request.client is not None else ""


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


OperatorCaller = Annotated[None, Depends(operator_caller)]
SecretCaller = Annotated[ResolvedKey, Depends(secret_caller)]
