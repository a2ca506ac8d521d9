"""Who calls a secret operation: the project of the secret key in the Authorization header."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from insights.access.keys import KeyRing, ResolvedKey
from insights.errors import KeyMissing, KeyRefused

_bearer = HTTPBearer(auto_error=False, description="A project's secret key, wl_s_…")


async def secret_caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> ResolvedKey:
    """The project behind the request's secret key. Raises KeyMissing or KeyRefused."""
    if credentials is None:
        raise KeyMissing("Send the project's secret key: Authorization: Bearer wl_s_….")
    keys: KeyRing = request.app.state.services.keys
    key = await keys.resolve(credentials.credentials)
    if key is None:
        raise KeyRefused("This key is unknown or was revoked. Make one with `whyleft keys create --kind secret`.")
    if key.kind != "secret":
        raise KeyRefused("This is a write key, which can only report events. Send the project's secret key.")
    return key


SecretCaller = Annotated[ResolvedKey, Depends(secret_caller)]
