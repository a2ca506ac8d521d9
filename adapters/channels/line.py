"""One HTTP call to a provider, and how far it got: what broke before the request left, what broke after.

Plain httpx: an SDK's own retries would send twice. Redirects are not followed, no proxy of the environment is used, and
a connection is used once: one that the other side closed meanwhile would break a send half-way. Only a call that says
of itself that a repeat does no harm is repeated here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from adapters.channels.contract import Rejected, Retry, Unknown
from adapters.channels.public_address import is_public
from adapters.channels.public_only import NotPublic, PublicOnly

TIMEOUT: Final = 20.0
MOST_ANSWER: Final = 1_000_000
TRIES_WHERE_HARMLESS: Final = 3
PAUSE: Final = 0.3


@dataclass(frozen=True, slots=True)
class Request:
    """A request. Its repr holds nothing but method and host: the rest may be secret or somebody's.

    ``harmless``: a repeat does nothing more (a lookup, a token): such a call is repeated when it breaks.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes = field(default=b"", repr=False)
    harmless: bool = False


def json_request(
    method: str, url: str, body: object, *, headers: Mapping[str, str] | None = None, harmless: bool = False
) -> Request:
    """A request with a JSON body. Raises ValueError or TypeError for what JSON cannot say."""
    content = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return Request(method, url, {"content-type": "application/json", **(headers or {})}, content, harmless)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered, at ``at``. ``whole``: its body arrived to the end and within bounds."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    whole: bool
    at: datetime

    @property
    def json(self) -> Any:
        """The body read as JSON; None when it is none or not whole."""
        if not self.whole:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def object(self) -> Mapping[str, Any]:
        """The body's JSON object; {} when it is none."""
        found = self.json
        return found if isinstance(found, dict) else {}

    @property
    def text(self) -> str:
        return self.body[:2000].decode("utf-8", "replace")

    @property
    def is_page(self) -> bool:
        """Whether somebody in between answered with a page for people."""
        page = "html" in self.headers.get("content-type", "") or self.body.lstrip()[:1] == b"<"
        return page and self.json is None


Broken = Rejected | Retry | Unknown


class Line:
    """Calls providers: on the public internet alone, unless ``public`` says otherwise. ``transport`` is for tests."""

    def __init__(
        self,
        *,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
        public: Callable[[str], bool] = is_public,
        timeout: float = TIMEOUT,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.public = public
        self._transport = transport or (lambda: PublicOnly(public=public))
        self._timeout = timeout
        self._clock = clock
        self._sleep = sleep

    def now(self) -> datetime:
        return self._clock().astimezone(UTC)

    async def call(self, request: Request) -> Answer | Broken:
        """The answer, whatever its status; or Retry (it never left), Rejected (it must not be called), Unknown."""
        tries = TRIES_WHERE_HARMLESS if request.harmless else 1
        for left in reversed(range(tries)):
            answer = await self._once(request)
            broken = isinstance(answer, Retry | Unknown) or (isinstance(answer, Answer) and answer.status >= 500)
            if not broken or not left:
                break
            await self._sleep(PAUSE * (tries - left))
        if request.harmless and isinstance(answer, Unknown):
            return Retry(answer.why)
        return answer

    async def _once(self, request: Request) -> Answer | Broken:
        left = False

        async def watch(name: str, info: Mapping[str, object]) -> None:
            nonlocal left
            # The first byte of the request may be on its way from here on.
            left = left or name.endswith("send_request_headers.started")

        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(request, watch)
        except NotPublic:
            return Rejected("This address is not on the public internet, and nothing else is called.")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            return Rejected("This is not an http(s) address.")
        except (httpx.LocalProtocolError, UnicodeError, ValueError):
            return Rejected("The request cannot be written: a setting or credential holds a character no header takes.")
        except (httpx.HTTPError, OSError, TimeoutError) as error:
            what = f"no answer within {self._timeout:g} s" if isinstance(error, TimeoutError) else type(error).__name__
            if left:
                return Unknown(f"The connection broke before the provider answered ({what}).")
            return Retry(f"The provider cannot be reached now ({what}).")

    async def _exchange(self, request: Request, watch: Callable[[str, Mapping[str, Any]], Awaitable[None]]) -> Answer:
        async with httpx.AsyncClient(
            transport=self._transport(), timeout=self._timeout, trust_env=False, follow_redirects=False
        ) as client:
            # Not compressed: what is read here is bounded as it comes.
            headers = {"user-agent": "Whyleft", "accept-encoding": "identity", **request.headers}
            sent = client.build_request(request.method, request.url, headers=headers, content=request.content)
            sent.extensions = {**sent.extensions, "trace": watch}
            response = await client.send(sent, stream=True)
            try:
                body, whole = await _body(response)
            finally:
                await response.aclose()
        known = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, known, body, whole, self.now())


async def _body(response: httpx.Response) -> tuple[bytes, bool]:
    """What came, and whether it was all of it. A status that arrived says enough without its body."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(TIMEOUT / 2):
            async for part in response.aiter_raw():
                parts.append(part)
                size += len(part)
                if size > MOST_ANSWER:
                    return b"".join(parts)[:MOST_ANSWER], False
    except (httpx.HTTPError, TimeoutError):
        return b"".join(parts), False
    return b"".join(parts), True
