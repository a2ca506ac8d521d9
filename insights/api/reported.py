"""Reads what is reported in another dialect: who reports it before what it says, which only holders of a key have read.

Reading a megabyte of brackets, to which a kilobyte unpacks, takes as long as a hundred requests.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

from fastapi import Request
from sqlalchemy.exc import DBAPIError

from insights.access.keys import PREFIXES, ResolvedKey
from insights.api.body import ClientGone, read_body
from insights.api.reporting import allows, check_reports, key_of, unreachable
from insights.errors import KeyMissing, KeyRefused, OriginRefused, Refused
from insights.events.json_body import parsed
from insights.traffic.limits import WEIGH
from insights.wiring.services import Services

_IN_A_BODY: Final = re.compile(rb'"(%s)[\w-]{1,90}"' % "|".join(PREFIXES.values()).encode())
_MOST_TRIED: Final = 3


async def read_reported(
    request: Request, services: Services, field: str, named: str | None = None
) -> tuple[ResolvedKey, Any]:
    """The key that a request reports with, and its body as parsed JSON.

    The key is ``named``, the user name of basic auth, a bearer token or ``?key=``; without any of these it stands in
    the ``field`` of the body. Raises KeyMissing, KeyRefused, NotAllowed, OriginRefused, TooMany, Unavailable, Refused,
    TooLarge.
    """
    text = named or _basic_user(request) or key_of(request.scope["query_string"], dict(request.headers.raw))
    if text:
        key = await _event_key(request, services, text)
        return key, parsed(await _whole(request, services))
    body = await _whole(request, services)
    await _check_a_key_is_in(body, services)
    document = parsed(body)
    text = document.get(field) if isinstance(document, dict) else None
    if not isinstance(text, str):
        raise _missing()
    # What stands in the header or the address was counted at the door.
    services.traffic.admit_operation(text)
    services.traffic.weigh_operation(text, len(body))
    return await _event_key(request, services, text), document


async def _whole(request: Request, services: Services) -> bytes:
    try:
        body = await read_body(request.receive, dict(request.headers.raw), services.settings.max_body_bytes)
    except ClientGone:
        raise Refused("The request ended before its body was whole.", field="body") from None
    if "content-encoding" in request.headers:
        request.scope[WEIGH](len(body))
    return body


async def _check_a_key_is_in(body: bytes, services: Services) -> None:
    found = dict.fromkeys(match[0] for match in _IN_A_BODY.finditer(body))
    if not found:
        raise _missing()
    for quoted in list(found)[:_MOST_TRIED]:
        if await _resolved(services, quoted[1:-1].decode()) is not None:
            return
    raise _refused()


async def _event_key(request: Request, services: Services, text: str) -> ResolvedKey:
    key = await _resolved(services, text)
    if key is None:
        raise _refused()
    check_reports(key)
    origin = request.headers.get("origin")
    if origin is not None and not allows(key, origin.encode("latin-1")):
        raise OriginRefused(f"Pages of {origin[:200]} may not report for this project.")
    return key


async def _resolved(services: Services, text: str) -> ResolvedKey | None:
    try:
        return await services.keys.resolve(text)
    except (DBAPIError, OSError, TimeoutError) as error:
        raise unreachable(error) from error


def _missing() -> KeyMissing:
    return KeyMissing("Send the project's write key: ?key=wl_w_…, or the user name of basic auth, without a password.")


def _refused() -> KeyRefused:
    return KeyRefused("This key is unknown or was revoked. Make one with `whyleft keys create --kind write`.")


def _basic_user(request: Request) -> str | None:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode("latin-1").partition(":")[0]
    except (binascii.Error, ValueError):
        return None
