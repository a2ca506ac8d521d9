"""Handlers of the pages behind the login: the list of sessions, one session, one visitor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from flows.store import list_runs
from insights.errors import NotFound
from insights.viewer.filters import read_request
from insights.viewer.gate import Gate, Viewer
from insights.viewer.mix import read_mix
from insights.viewer.one_session import read_session
from insights.viewer.reading import Reader
from insights.viewer.render import page, root
from insights.viewer.session_list import any_session, read_page
from insights.viewer.session_page import session_context
from insights.viewer.sessions_page import CHOICES, active_filters, numbers, segments
from insights.viewer.visitor_page import read_visitor, visitor_context
from insights.vocabulary.session_group import session_group

Handler = Callable[[Request], Awaitable[Response]]


class Pages:
    """Everything a logged-in viewer may open."""

    def __init__(self, reader: Reader, *, gate: Gate, templates: Environment, clock: Callable[[], datetime]) -> None:
        self._reader = reader
        self._gate = gate
        self._templates = templates
        self._clock = clock

    async def home(self, request: Request) -> Response:
        """To the sessions, or to the login."""
        return RedirectResponse(f"{root(request)}/sessions", status_code=303)

    async def sessions(self, request: Request) -> Response:
        """The list, newest first."""
        viewer = await self._gate.viewer(request)
        if viewer is None:
            return self._gate.to_login(request)
        now = self._clock()
        asked = read_request(request.query_params)
        async with self._reader.reading(viewer.project_id) as tx:
            known = await any_session(tx, viewer.project_id)
            mix = await read_mix(tx, viewer.project_id, asked.filters, now)
            listed = await read_page(tx, viewer.project_id, asked.filters, asked.cursor, now)
        return page(
            self._templates,
            request,
            "sessions" if known else "welcome",
            now,
            viewer=viewer,
            filters=asked.filters,
            notes=asked.notes,
            at_start=asked.cursor is None,
            listed=listed,
            total=mix.total,
            numbers=numbers(mix, asked.filters),
            segments=segments(mix, asked.filters),
            active=active_filters(asked.filters),
            choices=CHOICES,
            origin=f"{request.base_url.scheme}://{request.base_url.netloc}",
        )

    async def session(self, request: Request) -> Response:
        """One session."""
        viewer = await self._gate.viewer(request)
        if viewer is None:
            return self._gate.to_login(request)
        try:
            session_id = UUID(request.path_params["session_id"])
        except ValueError:
            return self._missing(request, viewer, "That is no session id: one has 32 hexadecimal digits.")
        try:
            async with self._reader.reading(viewer.project_id) as tx:
                read = await read_session(tx, viewer.project_id, session_id)
                runs = await list_runs(tx, viewer.project_id, session_group=session_group(session_id))
        except NotFound:
            return self._missing(
                request,
                viewer,
                f"There is no session {session_id} in the project {viewer.project_name}. It appears with its first "
                "stored event, and goes when its visitor is erased. If it belongs to another project, log out and "
                "log in with that project's secret key.",
            )
        now = self._clock()
        return page(
            self._templates,
            request,
            "session",
            now,
            viewer=viewer,
            runs=runs,
            **session_context(read, now, asked_page=request.query_params.get("events", "")),
        )

    async def visitor(self, request: Request) -> Response:
        """One visitor: the person they are, and the trail across all their devices."""
        viewer = await self._gate.viewer(request)
        if viewer is None:
            return self._gate.to_login(request)
        try:
            visitor_id = UUID(request.path_params["visitor_id"])
        except ValueError:
            text = "That is no visitor id: one has 32 hexadecimal digits."
            return self._missing(request, viewer, text, title="No such visitor")
        try:
            async with self._reader.reading(viewer.project_id) as tx:
                read = await read_visitor(tx, viewer.project_id, visitor_id, request.query_params.get("after", ""))
        except NotFound:
            return self._missing(
                request,
                viewer,
                f"There is no visitor {visitor_id} in the project {viewer.project_name}. One appears with their first "
                "stored event, and goes when they are erased.",
                title="No such visitor",
            )
        return page(self._templates, request, "visitor", self._clock(), viewer=viewer, **visitor_context(read))

    def _missing(self, request: Request, viewer: Viewer, text: str, *, title: str = "No such session") -> Response:
        return page(
            self._templates,
            request,
            "message",
            self._clock(),
            status=404,
            viewer=viewer,
            title=title,
            text=text,
        )
