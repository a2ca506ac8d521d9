"""The product's own HTTP API, asked by the viewer for whoever is logged in: what a page shows of it, and what a
script of ours on a page asks.

Nothing goes around the API: its checks of role, version and input hold for people in the viewer too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from insights.access.in_house import CALLER
from insights.access.keys import ResolvedKey
from insights.errors import NotFound, WhyleftError
from insights.viewer.gate import Viewer

FORM: Final = "own-api"
"""What the token is signed for that our scripts send along."""

TOKEN_HEADER: Final = "x-whyleft-token"  # noqa: S105 - a name
ROOMS: Final = ("flows", "conditions")
"""The only parts of the API that a page's script may ask."""
_PASSED: Final = (b"content-type", b"content-length", b"if-match", b"idempotency-key", b"accept")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def ok(self) -> bool:
        """Whether it did what was asked."""
        return self.status < 400


class Declined(WhyleftError):
    """What the API refused, in its own words. ``field``: what it calls the field that is wrong; ``faults``: everything
    wrong with a definition, each with its pointer, the problem and the fix."""

    def __init__(self, status: int, said: Mapping[str, Any]) -> None:
        super().__init__(str(said.get("detail", "The API refused this.")), field=said.get("field"))
        self.status = status  # type: ignore[misc]
        self.title = str(said.get("title", ""))  # type: ignore[misc]
        self.faults: Sequence[Mapping[str, Any]] = said.get("faults", ())


class OwnApi:
    """Asks the application that the viewer is mounted in."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def ask(
        self,
        request: Request,
        viewer: Viewer,
        method: str,
        path: str,
        body: object = None,
        *,
        query: str = "",
        if_match: str = "",
    ) -> Answer:
        """The answer to one call for ``viewer``; ``path`` begins with /v1/."""
        sent = b"" if body is None else json.dumps(body).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(sent)).encode())]
        if if_match:
            headers.append((b"if-match", if_match.encode()))
        status, told, parts = 500, {}, bytearray()

        async def receive() -> Message:
            return {"type": "http.request", "body": sent, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status, told
            if message["type"] == "http.response.start":
                status = message["status"]
                told = {name.decode().lower(): value.decode("latin-1") for name, value in message["headers"]}
            else:
                parts.extend(message.get("body", b""))

        await self._app(_scope(request.scope, viewer, method, path, query, headers), receive, send)
        return Answer(status, told, json.loads(bytes(parts)) if parts else None)

    async def asked(
        self,
        request: Request,
        viewer: Viewer,
        method: str,
        path: str,
        body: object = None,
        *,
        query: str = "",
        if_match: str = "",
    ) -> Any:
        """The body of an answer. Raises NotFound and Declined, in the API's own words."""
        answer = await self.ask(request, viewer, method, path, body, query=query, if_match=if_match)
        if answer.ok:
            return answer.body
        said = answer.body or {}
        raise NotFound(str(said.get("detail", ""))) if answer.status == 404 else Declined(answer.status, said)

    def passing(self, request: Request, viewer: Viewer) -> Response:
        """Hands a script's request on as it came. Only what is in ``ROOMS``."""
        path = f"/v1/{request.path_params['rest']}"
        if request.path_params["rest"].split("/")[0] not in ROOMS:
            return refusal(404, "This part of the API is not asked from the viewer.")
        headers = [(name, value) for name, value in request.scope["headers"] if name in _PASSED]
        query = request.scope["query_string"].decode("latin-1")
        return _Passed(self._app, _scope(request.scope, viewer, request.method, path, query, headers))


def refusal(status: int, detail: str) -> Response:
    """A problem, as the API would word it."""
    return JSONResponse({"title": "Not done", "status": status, "detail": detail}, status)


class _Passed(Response):
    def __init__(self, app: ASGIApp, scope: Scope) -> None:
        super().__init__()
        self._app = app
        self._scope = scope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(self._scope, receive, send)


def _scope(
    outer: Scope, viewer: Viewer, method: str, path: str, query: str, headers: list[tuple[bytes, bytes]]
) -> Scope:
    kept = {name: outer[name] for name in ("asgi", "http_version", "scheme", "client", "server") if name in outer}
    return {
        **kept,
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": headers,
        "state": {},
        CALLER: ResolvedKey(
            id=viewer.login_id,
            project_id=viewer.project_id,
            project_name=viewer.project_name,
            kind="secret",
            role=viewer.role,
            scopes=frozenset(),
            allowed_origins=frozenset(),
            reports=False,
            label=viewer.name,
        ),
    }
