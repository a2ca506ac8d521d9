"""Handlers around an insight: what would be sent about a session, and what people say of what was found."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Protocol, get_args
from uuid import UUID

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from adapters.postgres.engine import Database
from insights.classification.preview import Preview
from insights.errors import NotFound, Refused
from insights.evaluation.feedback import Said, say
from insights.timeline.read import read_timeline
from insights.timeline.timeline import Timeline
from insights.viewer.form import read_form
from insights.viewer.gate import FOREIGN_FORM, Gate, Viewer
from insights.viewer.reading import Reader
from insights.viewer.render import page, root
from insights.vocabulary.reasons import Reason


class Previews(Protocol):
    """Whoever asks a model."""

    async def preview(self, timeline: Timeline) -> Preview: ...


class InsightPages:
    """``previews`` None: this viewer stands alone and knows of no model."""

    def __init__(
        self,
        database: Database,
        reader: Reader,
        *,
        gate: Gate,
        templates: Environment,
        clock: Callable[[], datetime],
        previews: Previews | None,
    ) -> None:
        self._database = database
        self._reader = reader
        self._gate = gate
        self._templates = templates
        self._clock = clock
        self._previews = previews

    async def sent(self, request: Request) -> Response:
        """What would be sent about this session."""
        viewer = await self._gate.viewer(request)
        if viewer is None:
            return self._gate.to_login(request)
        session_id = _session_id(request)
        if session_id is None or self._previews is None:
            return self._say(request, viewer, 404, "No such session", "Check the address, or begin at the sessions.")
        try:
            async with self._reader.reading(viewer.project_id) as tx:
                timeline = await read_timeline(tx, viewer.project_id, session_id)
        except NotFound as error:
            return self._say(request, viewer, 404, "No such session", error.detail)
        found = await self._previews.preview(timeline)
        messages = {message["role"]: message["content"] for message in found.body["messages"]}
        rest = {name: value for name, value in found.body.items() if name != "messages"}
        return page(
            self._templates,
            request,
            "sent",
            self._clock(),
            viewer=viewer,
            session_id=session_id,
            preview=found,
            instructions=messages["system"],
            material=messages["user"],
            rest=json.dumps(rest, indent=2, ensure_ascii=False),
        )

    async def feedback(self, request: Request) -> Response:
        """Right, wrong, or another reason."""
        form = await read_form(request)
        viewer = await self._gate.viewer(request)
        if viewer is None:
            return self._gate.to_login_plainly(request)
        if not self._gate.is_ours(request, "feedback", form.get("token", "")):
            return self._say(request, viewer, 403, "Nothing was kept", FOREIGN_FORM)
        session_id = _session_id(request)
        said, named = form.get("said", ""), form.get("reason", "")
        if session_id is None or said not in get_args(Said) or (named and named not in set(Reason)):
            return self._say(request, viewer, 400, "Nothing was kept", "Choose right, wrong, or another reason.")
        reason = Reason(named) if named and said == "other" else None
        try:
            async with self._database.transaction(viewer.project_id) as tx:
                await say(tx, viewer.project_id, session_id, said, reason, self._clock())  # type: ignore[arg-type]
        except (NotFound, Refused) as error:
            return self._say(request, viewer, error.status, "Nothing was kept", error.detail)
        return RedirectResponse(f"{root(request)}/sessions/{session_id}#why", status_code=303)

    def _say(self, request: Request, viewer: Viewer, status: int, title: str, text: str) -> Response:
        return page(
            self._templates, request, "message", self._clock(), status=status, viewer=viewer, title=title, text=text
        )


def _session_id(request: Request) -> UUID | None:
    try:
        return UUID(request.path_params["session_id"])
    except ValueError:
        return None
