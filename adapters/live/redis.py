"""Keeps live values of a project's visitors in a Redis or Valkey that several processes share.

A cache, and treated as one: what it lost, somebody else rebuilds; when it is slow or gone, everybody goes on without
it and one connection a while is tried. A value has a version, and an older one never replaces a newer one.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from typing import Final
from uuid import UUID

import structlog

from adapters.live.resp import RedisAddress, RedisLink, RedisLost, RedisRefused, Reply

log = structlog.get_logger()

_VERSION_BYTES: Final = 16
_PROBE_MS: Final = b"1"

# Both are sixteen hexadecimal digits, so that the order of texts is the order of numbers; a missing key gives "".
_KEEP_NEWEST: Final = b"""
if redis.call('GETRANGE', KEYS[1], 0, 15) > string.sub(ARGV[1], 1, 16) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_THE_SCRIPT: Final = re.compile(r"\s+script: [0-9a-f]{40}")
_SHA: Final = hashlib.sha1(_KEEP_NEWEST, usedforsecurity=False).hexdigest().encode()

FIRST_RETRY: Final = 0.1
LAST_RETRY: Final = 5.0
"""Seconds until a connection is tried again, at first and at most. One that lasted longer starts at first again."""


class RedisStore:
    """Values, as bytes, by (project, visitor). For one event loop.

    ``layout`` names what the bytes mean: processes with another layout do not see each other's values. The keys of a
    visitor share one hash tag, ``{project:visitor}``, for whoever spreads keys over several servers. ``lost``: there is
    no connection that takes values; ``refused``: what Redis says of it, where it does.
    """

    def __init__(self, url: str, *, layout: str, keep_seconds: float, timeout: float) -> None:
        self._address = RedisAddress.of(url)
        self._prefix = f"whyleft:{layout}:{{".encode()
        self._keep_ms = b"%d" % int(keep_seconds * 1000)
        self._timeout = timeout
        self._link: RedisLink | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._retry_at = 0.0
        self._retry_after = FIRST_RETRY
        self._connected_at = 0.0
        self._closed = False
        self.lost = False
        self.refused = ""
        self.failures = 0

    async def start(self) -> None:
        """Connects, if it can; raises nothing."""
        self._connect_soon()
        if self._connecting is not None:
            await asyncio.wait([self._connecting])

    async def stop(self) -> None:
        """Sends what is under way, then closes."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._connecting
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    async def fetch(self, project_id: UUID, visitor_id: UUID) -> tuple[int, bytes] | None:
        """The value and its version, in one round trip; None when there is none. Raises RedisLost."""
        if self._link is None:
            self._connect_soon()
            raise RedisLost
        try:
            found = await self._link.ask(b"GET", self._key(project_id, visitor_id))
        except RedisRefused as error:
            self._give_up(str(error))
            raise RedisLost from error
        if not isinstance(found, bytes):
            return None
        try:
            return int(found[:_VERSION_BYTES], 16), found[_VERSION_BYTES:]
        except ValueError:
            # Not ours; in the order of texts it may well come after all that is.
            self.drop(project_id, visitor_id)
            return None

    def put(self, project_id: UUID, visitor_id: UUID, version: int, value: bytes) -> None:
        """Sends a value, which takes the place of an older one. Nobody waits for it: it leaves before the answer to
        whoever caused it does."""
        if self._link is not None:
            value = b"%016x%b" % (version, value)
            self._link.tell(b"EVALSHA", _SHA, b"1", self._key(project_id, visitor_id), value, self._keep_ms)

    def drop(self, project_id: UUID, visitor_id: UUID) -> None:
        """Forgets a value."""
        if self._link is not None:
            self._link.tell(b"DEL", self._key(project_id, visitor_id))

    def _key(self, project_id: UUID, visitor_id: UUID) -> bytes:
        return b"%b%b:%b}" % (self._prefix, project_id.hex.encode(), visitor_id.hex.encode())

    def _connect_soon(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._connecting is None and self._link is None and not self._closed and now >= self._retry_at:
            self._connecting = asyncio.create_task(self._connect(), name="redis connection")

    async def _connect(self) -> None:
        try:
            link = await RedisLink.open(self._address, within=self._timeout, lost=self._gone)
            try:
                loaded: Reply = await link.ask(b"SCRIPT", b"LOAD", _KEEP_NEWEST)
                if loaded != _SHA:
                    raise RedisRefused("it numbers scripts otherwise")
                # One that is full, a replica, or closed to this user answers all else, and takes no value.
                await link.ask(b"EVALSHA", _SHA, b"1", self._prefix + b"probe}", b"%016x" % 0, _PROBE_MS)
            except BaseException:
                await link.close()
                raise
        except RedisLost as error:
            self._failed(str(error))
        except RedisRefused as error:
            self._failed(str(error), refused=True)
        else:
            self._link = link
            self._connected_at = asyncio.get_running_loop().time()
            if self.lost:
                log.info("redis_found_again")
            self.lost, self.refused = False, ""
        finally:
            self._connecting = None

    def _give_up(self, reason: str) -> None:
        if self._link is not None:
            self._link.end(reason)

    def _gone(self, reason: str) -> None:
        if self._link is not None:
            self._link = None
            self._failed(reason)

    def _failed(self, reason: str, *, refused: bool = False) -> None:
        self.failures += 1
        now = asyncio.get_running_loop().time()
        if self._connected_at and now - self._connected_at > LAST_RETRY:
            self._retry_after = FIRST_RETRY
        self._connected_at = 0.0
        self._retry_at = now + self._retry_after
        self._retry_after = min(LAST_RETRY, self._retry_after * 2)
        # What follows names the script by its hash.
        was, self.refused = self.refused, _THE_SCRIPT.split(reason)[0].rstrip(".") if refused else ""
        if not self.lost or self.refused != was:
            log.warning("redis_lost", why=reason)
        self.lost = True
