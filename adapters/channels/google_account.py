"""Tokens for Google's APIs: a service account signs a claim and is given a token for an hour (RFC 7523).

Reference (read 2026-11-21): https://developers.google.com/identity/protocols/oauth2/service-account. A token is kept in
this process until a minute before its end, so that a send costs one call.
"""

from __future__ import annotations

import base64
import json
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr

from adapters.channels.contract import Rejected, Retry
from adapters.channels.line import Answer, Broken, Line, Request
from adapters.channels.verdict import NEW_KEY_PAUSE, judge_answer, said

TOKEN_URL: Final = "https://oauth2.googleapis.com/token"  # noqa: S105  (an address)
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_VALID: Final = timedelta(hours=1)
_EARLY: Final = timedelta(minutes=1)
MOST_KEPT: Final = 500


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """The parts of a service account's key file that are used."""

    email: str
    key_id: str
    project: str
    private_key: RSAPrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; its repr does not show it."""

    text: str = field(repr=False)
    until: datetime


def service_account(text: str) -> ServiceAccount:
    """The account of a key file (JSON). Raises ValueError with a sentence that does not repeat it.

    Where the token comes from is not read from the file: a file could name any address.
    """
    advice = "paste the whole JSON key file of the service account"
    try:
        found = json.loads(text)
        key = load_pem_private_key(found["private_key"].encode(), None)
        account = ServiceAccount(
            str(found["client_email"]),
            str(found.get("private_key_id", "")),
            str(found.get("project_id", "")),
            _rsa(key),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, UnsupportedAlgorithm):
        raise ValueError(advice) from None
    return account


def is_account(secret: SecretStr) -> SecretStr:
    """A validator of a field that holds a key file."""
    service_account(secret.get_secret_value())
    return secret


_kept: OrderedDict[tuple[str, str, str], Token] = OrderedDict()


async def token_for(line: Line, account: ServiceAccount, scope: str) -> Token | Broken:
    """A token of ``account`` for ``scope``, kept or fetched."""
    now = line.now()
    place = (account.email, account.key_id, scope)
    known = _kept.get(place)
    if known is not None and known.until > now:
        _kept.move_to_end(place)
        return known
    body = urlencode({"grant_type": _GRANT, "assertion": _assertion(account, scope, now)}).encode()
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = await line.call(Request("POST", TOKEN_URL, form, body, harmless=True))
    if not isinstance(answer, Answer):
        return answer
    text, seconds = answer.object.get("access_token"), answer.object.get("expires_in")
    if answer.status == 200 and isinstance(text, str) and isinstance(seconds, int):
        token = Token(text, now + timedelta(seconds=max(0, seconds)) - _EARLY)
        _kept[place] = token
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
        return token
    if answer.status in (400, 401, 403) and not answer.is_page:
        return Retry(
            f"Google gives this service account no token ({answer.status}{said(answer)}): make a new key for it.",
            after=NEW_KEY_PAUSE,
        )
    result = judge_answer(answer)
    # Nothing was sent yet, whatever went wrong with the token.
    return (
        result
        if isinstance(result, Rejected | Retry)
        else Retry("Google's answer to the request for a token is unreadable.")
    )


def forget_token(account: ServiceAccount, scope: str) -> None:
    """The token was refused: the next send fetches another."""
    _kept.pop((account.email, account.key_id, scope), None)


def _assertion(account: ServiceAccount, scope: str, now: datetime) -> str:
    issued = int(now.timestamp())
    header = {"alg": "RS256", "typ": "JWT", "kid": account.key_id}
    claims = {
        "iss": account.email,
        "scope": scope,
        "aud": TOKEN_URL,
        "iat": issued,
        "exp": issued + int(_VALID.total_seconds()),
    }
    signed = f"{_part(header)}.{_part(claims)}"
    signature = account.private_key.sign(signed.encode(), PKCS1v15(), SHA256())
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _rsa(key: object) -> RSAPrivateKey:
    if not isinstance(key, RSAPrivateKey):
        raise TypeError
    return key
