"""Pages around an insight: what would be sent about a session, and what people say of what was found."""

from __future__ import annotations

import json
from typing import Protocol, get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from insights.classification.preview import Preview
from insights.errors import NotFound, Refused
from insights.evaluation.feedback import Said, say
from insights.timeline.read import read_timeline
from insights.timeline.timeline import Timeline
from insights.viewer.gate import Viewer
from insights.viewer.page_group import Desk, PageGroup, path_id
from insights.vocabulary.reasons import Reason

FEEDBACK = "feedback"
"""What the feedback form is signed for."""


class Previews(Protocol):
    """Whoever asks a model."""

    async def preview(self, timeline: Timeline) -> Preview: ...


class InsightPages(PageGroup):
    """``previews`` None: this viewer stands alone and knows of no model."""

    def __init__(self, desk: Desk, previews: Previews | None) -> None:
        super().__init__(desk)
        self._previews = previews

    def routes(self) -> list[BaseRoute]:
        return [
            self._get("/sessions/{session_id}/sent", self.sent, missing="No such session"),
            self._post("/sessions/{session_id}/feedback", self.feedback, form=FEEDBACK, refused="Nothing was kept"),
        ]

    async def sent(self, request: Request, viewer: Viewer) -> Response:
        """What would be sent about this session."""
        session_id = path_id(request, "session_id", "session")
        if self._previews is None:
            raise NotFound("This viewer stands alone and asks no model. Begin at the sessions.")
        async with self._reader.reading(viewer.project_id) as tx:
            timeline = await read_timeline(tx, viewer.project_id, session_id)
        found = await self._previews.preview(timeline)
        messages = {message["role"]: message["content"] for message in found.body["messages"]}
        rest = {name: value for name, value in found.body.items() if name != "messages"}
        return self._page(
            request,
            viewer,
            "sent",
            session_id=session_id,
            preview=found,
            instructions=messages["system"],
            material=messages["user"],
            rest=json.dumps(rest, indent=2, ensure_ascii=False),
        )

    async def feedback(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Right, wrong, or another reason."""
        session_id = path_id(request, "session_id", "session")
        said, named = form.get("said", ""), form.get("reason", "")
        if said not in get_args(Said) or (named and named not in set(Reason)):
            raise Refused("Choose right, wrong, or another reason.")
        reason = Reason(named) if named and said == "other" else None
        async with self._database.transaction(viewer.project_id) as tx:
            await say(tx, viewer.project_id, session_id, said, reason, self._now())  # type: ignore[arg-type]
        return self._to(request, f"/sessions/{session_id}#why")
