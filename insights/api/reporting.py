"""Decides whether a request may report events: which key it carries, what that stands for, from which pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError

from insights.access.key_ring import KeyRing
from insights.access.keys import ResolvedKey
from insights.errors import KeyMissing, KeyRefused, NotAllowed, OriginRefused, TooMany, Unavailable
from insights.traffic.limits import Traffic

log = structlog.get_logger()

_KEY = re.compile(rb"(?:^|&)key=([^&]+)").search


def key_of(query: bytes, headers: Mapping[bytes, bytes]) -> str | None:
    """The key of a request: ``?key=`` (beacons cannot set headers), a bearer token, or None."""
    authorization = headers.get(b"authorization", b"")
    if authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip().decode("latin-1")
    return _named_in(query) if len(query) <= _USUAL else _read(query)


_USUAL = 200
"""Bytes of a query that may be remembered: a page sends the same with each batch."""


def _read(query: bytes) -> str | None:
    found = _KEY(query)
    return unquote_plus(found[1].decode("latin-1")) if found else None


_named_in = lru_cache(maxsize=1024)(_read)


def check_reports(key: ResolvedKey) -> None:
    """Raises NotAllowed for a secret key that may not change anything."""
    if not key.reports:
        raise NotAllowed("This key cannot report events. Send a write key, or a secret key of an editor.")


def allows(key: ResolvedKey, origin: bytes) -> bool:
    """Whether pages of this origin may report with this key."""
    # Compared whole: "https://shop.example.evil" and "null" match nothing they were not given for.
    return "*" in key.allowed_origins or origin.decode("latin-1") in key.allowed_origins


def unreachable(error: Exception) -> Unavailable:
    """The refusal to give while the database cannot be reached."""
    log.warning("database_unreachable", error=type(error).__name__)
    return Unavailable("The database cannot be reached. Nothing was stored; send the same request again.")


class Reporters:
    """Resolves the keys of requests to the events endpoint, and counts what each of them takes."""

    def __init__(
        self, keys: KeyRing, traffic: Traffic, on_turned_away: Callable[[UUID], None] = lambda project_id: None
    ) -> None:
        """``on_turned_away``: hears of each project that sends more than it may."""
        self._keys = keys
        self._traffic = traffic
        self._on_turned_away = on_turned_away

    def admit(self, text: str, *, counts: bool = True) -> None:
        """Counts a request with this key. Raises TooMany. ``counts``: False only asks."""
        try:
            self._traffic.admit_events(text, counts=counts)
        except TooMany:
            if (key := self._keys.at_hand(text)) is not None:
                self._on_turned_away(key.project_id)
            raise

    def weigh(self, scope: MutableMapping[str, Any], headers: Mapping[bytes, bytes], size: int) -> None:
        """Counts a body of so many bytes, unpacked, for its address and its key."""
        self._traffic.weigh(self._traffic.clients.of(scope), size)
        if (text := key_of(scope["query_string"], headers)) is not None:
            self._traffic.weigh_events(text, size)

    async def resolve(
        self, scope: MutableMapping[str, Any], headers: Mapping[bytes, bytes], origin: bytes | None
    ) -> ResolvedKey:
        """What the request's key stands for. ``origin``: of the page that sends it, if a page does.

        Raises KeyMissing, KeyRefused, NotAllowed, OriginRefused, TooMany, Unavailable.
        """
        text = key_of(scope["query_string"], headers)
        if text is None:
            raise KeyMissing("Send the project's write key: /v1/events?key=wl_w_… or Authorization: Bearer wl_w_….")
        self.admit(text)
        key = self._keys.at_hand(text)
        if key is None:
            try:
                key = await self._keys.resolve(text)
            except (DBAPIError, OSError, TimeoutError) as error:
                raise unreachable(error) from error
        if key is None:
            self._traffic.wrong_key(self._traffic.clients.of(scope))
            raise KeyRefused("This key is unknown or was revoked. Make one with `whyleft keys create --kind write`.")
        check_reports(key)
        if origin is not None and not allows(key, origin):
            raise OriginRefused(
                f"Pages of {origin.decode('latin-1')[:200]} may not report for this project. Allow them with "
                f"`whyleft keys create --project {key.project_name} --kind write --origin …`."
            )
        return key
