"""Talks to the API for a replay: tries again while it is away, and says in one sentence why it cannot go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import msgspec

from insights.replay.batches import ReplayBatch
from insights.replay.position import Tally
from insights.vocabulary.ids import uuid7

FIRST_PATIENCE_SECONDS = 3.0
"""A server that never answered is more likely a wrong address than a restart."""
LONGEST_PAUSE_SECONDS = 3.0
Kind = Literal["write", "secret"]
_REFUSED = frozenset({400, 413, 422})
_TIMEOUT = httpx.Timeout(30, connect=5)


class ReplayStopped(Exception):
    """The replay cannot go on; the text is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """The API to send to. ``give_up_seconds`` is how long it may be away before the replay stops."""

    url: str
    write_key: str
    secret_key: str
    give_up_seconds: float = 60.0


class ApiClient:
    """One connection pool to one API."""

    def __init__(
        self, target: Target, *, connections: int, on_refused: Callable[[str], None], on_away: Callable[[str], None]
    ) -> None:
        """``on_refused`` hears why events were refused, ``on_away`` why a request is tried again.

        Raises ReplayStopped when the address is none.
        """
        self._target = target
        self._on_refused = on_refused
        self._on_away = on_away
        self._answered = False
        try:
            parts = urlsplit(target.url)
            host = parts.hostname
        except ValueError:
            parts, host = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not host:
            raise ReplayStopped(f"--url {target.url!r} is not an address: write http://127.0.0.1:8321.")
        for key, name in ((target.write_key, "write"), (target.secret_key, "secret")):
            if not key.isascii() or not key.isprintable():
                raise ReplayStopped(f"The {name} key is not a key: pass it as `whyleft keys create` printed it.")
        try:
            self._http = httpx.AsyncClient(
                base_url=target.url.rstrip("/"),
                timeout=_TIMEOUT,
                limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
                # A proxy from the environment has nothing to do with a server on this machine.
                trust_env=host not in ("127.0.0.1", "::1", "localhost"),
            )
        except httpx.InvalidURL:
            raise ReplayStopped(f"--url {target.url!r} is not an address: write http://127.0.0.1:8321.") from None

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._http.aclose()

    async def check(self) -> None:
        """Makes sure that this is the API and that it takes both keys. Raises ReplayStopped."""
        answer = await self._request(
            "POST",
            "/v1/events",
            "write",
            {"visitor": str(uuid7()), "session": str(uuid7()), "events": []},
        )
        if answer.status_code != HTTPStatus.OK or "accepted" not in _document(answer):
            raise self._no_api(answer)
        answer = await self._request("GET", "/v1/sessions?limit=1", "secret")
        if answer.status_code != HTTPStatus.OK:
            raise self._no_api(answer)

    async def send(self, batch: ReplayBatch) -> Tally:
        """Sends one batch until it is acknowledged or refused. Raises ReplayStopped."""
        body: dict[str, Any] = {"visitor": str(batch.visitor), "session": str(batch.session), "tab": batch.tab}
        answer = await self._request("POST", "/v1/events", "write", body | {"events": batch.events})
        document = _document(answer)
        if answer.status_code in _REFUSED:
            self._on_refused(str(document.get("detail", f"status {answer.status_code}")))
            return Tally(rejected=len(batch.events))
        try:
            accepted, duplicates, rejected = document["accepted"], document["duplicates"], document["rejected"]
            tally = Tally(int(accepted), int(duplicates), len(rejected))
        except (KeyError, TypeError, ValueError):
            raise self._no_api(answer) from None
        for item in rejected:
            self._on_refused(str(item.get("error")))
        return tally

    async def close_session(self, session: UUID) -> bool:
        """Closes a session; False when the API does not know it. Raises ReplayStopped."""
        answer = await self._request("POST", f"/v1/sessions/{session}/close", "secret")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return False
        if not answer.is_success:
            raise self._no_api(answer)
        return True

    async def _request(self, method: str, path: str, kind: Kind, body: dict[str, Any] | None = None) -> httpx.Response:
        """The first answer that is not "try again". Raises ReplayStopped: none came in time, or the key is bad."""
        key = self._target.write_key if kind == "write" else self._target.secret_key
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        pause = 0.1
        away_since: float | None = None
        while True:
            if body is not None and body["events"]:
                body["sent_at"] = time.time_ns() // 1_000_000
            content = None if body is None else msgspec.json.encode(body)
            wait = 0.0
            try:
                answer = await self._http.request(method, path, content=content, headers=headers)
            except (httpx.TransportError, httpx.InvalidURL) as error:
                reason = str(error) or type(error).__name__
            else:
                self._answered = True
                if answer.status_code < 500 and answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
                    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                        raise self._wrong_key(answer, kind)
                    return answer
                reason = str(_document(answer).get("detail", f"it answers with status {answer.status_code}"))
                wait = _retry_after(answer)
            now = time.monotonic()
            away_since = now if away_since is None else away_since
            patience = self._target.give_up_seconds
            if not self._answered:
                patience = min(patience, FIRST_PATIENCE_SECONDS)
            if now - away_since >= patience:
                raise self._away(reason, now - away_since)
            self._on_away(reason)
            await asyncio.sleep(min(max(pause, wait), LONGEST_PAUSE_SECONDS))
            pause *= 2

    def _wrong_key(self, answer: httpx.Response, kind: str) -> ReplayStopped:
        detail = str(_document(answer).get("detail") or "Make one with `whyleft keys create`.")
        return ReplayStopped(
            f"{self._target.url} does not take the {kind} key (--{kind}-key or WHYLEFT_{kind.upper()}_KEY): {detail}"
        )

    def _no_api(self, answer: httpx.Response) -> ReplayStopped:
        return ReplayStopped(
            f"{self._target.url} answers with status {answer.status_code} to {answer.request.url.path}, as no "
            "Whyleft API does: check --url."
        )

    def _away(self, reason: str, seconds: float) -> ReplayStopped:
        if not self._answered:
            return ReplayStopped(
                f"No API answers at {self._target.url} ({reason.rstrip('.')}): start one with `whyleft serve`, or "
                "check --url."
            )
        return ReplayStopped(
            f"The API at {self._target.url} has been away for {seconds:.0f} seconds ({reason.rstrip('.')}): once it "
            "is back, run the same command again; it goes on where it stopped."
        )


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(answer.content)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}
    return document if isinstance(document, dict) else {}


def _retry_after(answer: httpx.Response) -> float:
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isdigit() else 0.0
