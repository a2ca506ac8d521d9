"""Pages of visits and of who made them: the list of sessions, one session, one visitor."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from flows.store import list_runs
from insights.errors import NotFound
from insights.viewer.filters import read_request
from insights.viewer.gate import Viewer
from insights.viewer.mix import read_mix
from insights.viewer.one_session import read_session
from insights.viewer.page_group import PageGroup, path_id
from insights.viewer.render import root
from insights.viewer.session_list import any_session, read_page
from insights.viewer.session_page import session_context
from insights.viewer.sessions_page import CHOICES, active_filters, numbers, segments
from insights.viewer.visitor_page import read_visitor, visitor_context
from insights.vocabulary.session_group import session_group


class Pages(PageGroup):
    """What happened, and who it was."""

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.home, name="home"),
            self._get("/sessions", self.sessions),
            self._get("/sessions/{session_id}", self.session, missing="No such session"),
            self._get("/visitors/{visitor_id}", self.visitor, missing="No such visitor"),
        ]

    async def home(self, request: Request) -> Response:
        """To the sessions, or to the login."""
        return RedirectResponse(f"{root(request)}/sessions", status_code=303)

    async def sessions(self, request: Request, viewer: Viewer) -> Response:
        """The list, newest first."""
        now = self._now()
        asked = read_request(request.query_params)
        async with self._reader.reading(viewer.project_id) as tx:
            known = await any_session(tx, viewer.project_id)
            mix = await read_mix(tx, viewer.project_id, asked.filters, now)
            listed = await read_page(tx, viewer.project_id, asked.filters, asked.cursor, now)
        return self._page(
            request,
            viewer,
            "sessions" if known else "welcome",
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

    async def session(self, request: Request, viewer: Viewer) -> Response:
        """One session."""
        session_id = path_id(request, "session_id", "session")
        try:
            async with self._reader.reading(viewer.project_id) as tx:
                read = await read_session(tx, viewer.project_id, session_id)
                runs = await list_runs(tx, viewer.project_id, session_group=session_group(session_id))
        except NotFound:
            raise NotFound(
                f"There is no session {session_id} in the project {viewer.project_name}. It appears with its first "
                "stored event, and goes when its visitor is erased. If it belongs to another project, log out and "
                "log in with that project's secret key."
            ) from None
        return self._page(
            request,
            viewer,
            "session",
            runs=runs,
            **session_context(read, self._now(), asked_page=request.query_params.get("events", "")),
        )

    async def visitor(self, request: Request, viewer: Viewer) -> Response:
        """One visitor: the person they are, and the trail across all their devices."""
        visitor_id = path_id(request, "visitor_id", "visitor")
        try:
            async with self._reader.reading(viewer.project_id) as tx:
                read = await read_visitor(tx, viewer.project_id, visitor_id, request.query_params.get("after", ""))
        except NotFound:
            raise NotFound(
                f"There is no visitor {visitor_id} in the project {viewer.project_name}. One appears with their first "
                "stored event, and goes when they are erased."
            ) from None
        return self._page(request, viewer, "visitor", **visitor_context(read))
