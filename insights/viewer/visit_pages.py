"""Pages of visits and of who made them: the list of sessions, one session, one visitor."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from flows.store import list_runs
from insights.errors import NotFound, Unavailable
from insights.models import SavedView
from insights.viewer import as_readers_see
from insights.viewer.filters import Filters, ListRequest, read_request
from insights.viewer.flow_reads import flow_names
from insights.viewer.gate import Viewer
from insights.viewer.mix import Mix, read_mix
from insights.viewer.one_session import read_session
from insights.viewer.page_group import Desk, PageGroup, path_id
from insights.viewer.privacy_pages import FORM as PRIVACY
from insights.viewer.render import root
from insights.viewer.saved_views import delete_view, list_views, save_view
from insights.viewer.session_list import SessionPage, any_session, read_changed, read_page
from insights.viewer.session_page import session_context
from insights.viewer.sessions_page import CHOICES, active_filters, numbers, segments
from insights.viewer.tail import ASKED_AGAIN, MOST_ROWS, SharedLooks, Tails, resumed
from insights.viewer.visitor_page import read_visitor, visitor_context
from insights.vocabulary.session_group import session_group

VIEWS = "views"
"""What the forms of saved views are signed for."""


class VisitPages(PageGroup):
    """What happened, and who it was."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._tails = Tails(desk.clock)
        self._looks = SharedLooks()

    def routes(self) -> list[BaseRoute]:
        return [
            self._get("/sessions", self.sessions),
            self._get("/sessions/tail", self.tail),
            self._post("/views", self.save_view, form=VIEWS, refused="The view was not saved"),
            self._post("/views/{view_id}/delete", self.delete_view, form=VIEWS),
            self._get("/sessions/{session_id}", self.session, missing="No such session"),
            self._get("/visitors/{visitor_id}", self.visitor, missing="No such visitor"),
        ]

    async def sessions(self, request: Request, viewer: Viewer) -> Response:
        """The list, newest first."""
        now = self._now()
        asked = read_request(request.query_params, names=viewer.may("editor"))
        # Side by side: either may have to look at every session.
        mix, (known, listed, views, flows) = await asyncio.gather(
            self._mix(viewer.project_id, asked.filters, now), self._listed(viewer.project_id, asked, now)
        )
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
            active=active_filters(asked.filters, flows),
            choices=CHOICES,
            flows=flows,
            views=views,
            view_token=self._token(request, VIEWS),
            server=self._server(request),
        )

    async def _mix(self, project_id: UUID, filters: Filters, now: datetime) -> Mix:
        async with self._reader.reading(project_id) as tx:
            return await read_mix(tx, project_id, filters, now)

    async def _listed(
        self, project_id: UUID, asked: ListRequest, now: datetime
    ) -> tuple[bool, SessionPage, Sequence[SavedView], dict[str, str]]:
        async with self._reader.reading(project_id) as tx:
            return (
                await any_session(tx, project_id),
                await read_page(tx, project_id, asked.filters, asked.cursor, now),
                await list_views(tx, project_id),
                await flow_names(tx, project_id),
            )

    async def tail(self, request: Request, viewer: Viewer) -> Response:
        """Server-sent events: sessions that match the filters, as they come and change."""
        if self._tails.full(viewer.project_id):
            raise Unavailable("So many lists are followed live that there is no room for another one.", retry_after=60)
        filters = read_request(request.query_params, names=viewer.may("editor")).filters
        row_of = self._desk.templates.get_template("session_row.html").module.session_row  # type: ignore[attr-defined]

        async def read(since: datetime) -> list[str]:
            now = self._now()
            async with self._reader.reading(viewer.project_id) as tx:
                found = await read_changed(tx, viewer.project_id, filters, since, now, MOST_ROWS)
            return [str(row_of(row, filters, root(request), now)) for row in found]

        looks = itertools.count(1)

        async def look(since: datetime) -> Sequence[str] | None:
            if next(looks) % ASKED_AGAIN == 0 and await self._desk.gate.viewer(request) is None:
                return None
            return await self._looks.of((viewer.project_id, filters, root(request)), since, read)

        return StreamingResponse(
            self._tails.follow(viewer.project_id, look, resumed(request.headers.get("last-event-id", ""), self._now())),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def save_view(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Keeps filters under a name."""
        async with self._database.transaction(viewer.project_id) as tx:
            made = await save_view(tx, viewer.project_id, form.get("name", ""), form.get("query", ""), self._now())
        return self._to(request, f"/sessions{made.query}")

    async def delete_view(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Forgets a saved view."""
        async with self._database.transaction(viewer.project_id) as tx:
            await delete_view(tx, viewer.project_id, path_id(request, "view_id", "view"))
        return self._to(request, "/sessions")

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
        if not viewer.may("editor"):
            read, runs = as_readers_see.visit(read), [as_readers_see.run(one) for one in runs]
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
        return self._page(
            request,
            viewer,
            "visitor",
            whole=viewer.may("editor") and request.query_params.get("names") == "whole",
            privacy_token=self._token(request, PRIVACY),
            **visitor_context(read),
        )
