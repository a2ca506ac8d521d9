"""The pages for what goes wrong outside of any page: a wrong address, a database that is away, a fault of ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import structlog
from jinja2 import Environment
from psycopg.errors import QueryCanceled
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match

from adapters.postgres.personal import KeyUnknown
from insights.viewer.render import page, root

log = structlog.get_logger()

_ADVICE: Final = {
    404: ("There is no such page", "Check the address, or begin at the sessions."),
    405: ("That does not work here", "Go back to the page that you came from."),
    413: ("That is too much", ""),
}


class Faults:
    """Says in words what went wrong, and what to do."""

    def __init__(self, templates: Environment, clock: Callable[[], datetime]) -> None:
        self._templates = templates
        self._clock = clock

    def handlers(self) -> Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]]:
        """What Starlette asks for each kind of error."""
        return {
            HTTPException: self.refused,
            DBAPIError: self.database_failed,
            PoolTimeout: self.database_failed,
            OSError: self.database_failed,
            KeyUnknown: self.sealed,
            Exception: self.broken,
        }

    async def refused(self, request: Request, error: Exception) -> Response:
        """What was asked for is not there, or is not taken."""
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
        if error.status_code == 405 and request.method == "GET" and (above := _page_above(request)):
            return RedirectResponse(above, 303)
        title, text = _ADVICE.get(error.status_code, ("That did not work", ""))
        return self._say(request, error.status_code, title, text or str(error.detail))

    async def database_failed(self, request: Request, error: Exception) -> Response:
        """The database gave up on a search, or cannot be reached. Raises anything else that it says."""
        if isinstance(error, DBAPIError) and isinstance(error.orig, QueryCanceled):
            log.warning("viewer_query_too_slow", path=request.scope["path"])
            title = "That takes too long"
            text = "So many sessions cannot be searched at once. Choose a period, or take off the page, action or text."
        elif isinstance(error, OperationalError | InterfaceError | PoolTimeout | OSError):
            log.warning("viewer_without_database", path=request.scope["path"], error=type(error).__name__)
            title = "The database cannot be reached"
            text = (
                "Nothing is lost: reload this page in a moment. If it stays away, look at the server's log and at "
                "WHYLEFT_DATABASE_URL."
            )
        else:
            raise error
        response = self._say(request, 503, title, text)
        response.headers["Retry-After"] = "5"
        return response

    async def sealed(self, request: Request, error: Exception) -> Response:
        """What the page shows was sealed with a key that this server does not have."""
        log.error("sealed_with_another_key", path=request.scope["path"])
        return self._say(request, 500, "Names and addresses cannot be opened", str(error))

    async def broken(self, request: Request, error: Exception) -> Response:
        """A fault of ours."""
        return self._say(
            request,
            500,
            "Something broke in the viewer",
            "This is a fault of ours. The server's log says more; please report it with the address of this page.",
        )

    def _say(self, request: Request, status: int, title: str, text: str) -> Response:
        return page(self._templates, request, "message", self._clock(), status=status, title=title, text=text)


def _page_above(request: Request) -> str | None:
    """The nearest page above an address that only takes forms: a form that was refused stands there, and whoever comes
    back to it, or logs in from it, asks for it as for a page."""
    base, path = root(request), str(request.scope["path"])
    while len(path) > len(base) + 1:
        path = path.rpartition("/")[0]
        asked = {**request.scope, "path": path if path != base else f"{base}/"}
        if any(route.matches(asked)[0] is Match.FULL for route in request.app.routes):
            return quote(str(asked["path"]))
    return None
