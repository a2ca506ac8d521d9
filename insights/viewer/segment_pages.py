"""Pages of segments: the list with sizes, one segment, and its form. All they know and do goes through the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from insights.conditions.places import Place
from insights.viewer.condition_form import help_in, written
from insights.viewer.feedback import refusal
from insights.viewer.gate import Viewer
from insights.viewer.own_api import OwnApi
from insights.viewer.page_group import Desk, PageGroup, looked_at, revision_of

FORM: Final = "segments"
"""What the forms of these pages are signed for."""

TRY: Final = "try"
"""What the button says that only wants to know whom a condition covers."""

_MISSING: Final = "No such segment"


class SegmentPages(PageGroup):
    """Groups of visitors by a condition: flows and live actions ask about them by name."""

    def __init__(self, desk: Desk, api: OwnApi) -> None:
        super().__init__(desk)
        self._api = api

    def routes(self) -> list[BaseRoute]:
        one = "/segments/{segment}"
        return [
            self._get("/segments", self.segments),
            self._post(
                "/segments", self.make, form=FORM, refused="No segment was made", again=self.segments, called=called
            ),
            self._get(one, self.segment, missing=_MISSING),
            self._post(one, self.change, form=FORM, again=self.segment, called=called),
            self._post(f"{one}/remove", self.remove, form=FORM, refused="It was not removed", again=self.segment),
        ]

    async def segments(self, request: Request, viewer: Viewer) -> Response:
        """All of them by name, and a form for a new one."""
        refused = refusal(request)
        return await self._all(request, viewer, refused.typed if refused else {})

    async def make(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """A new segment; or a look at whom it would cover."""
        body = _body(form)
        if form.get("do") == TRY:
            return await self._all(request, viewer, form, await self._tried(request, viewer, body["when"]))
        made = await self._api.asked(request, viewer, "POST", "/v1/segments", body)
        return self._to(request, f"/segments/{made['name']}", done="segment_made")

    async def segment(self, request: Request, viewer: Viewer) -> Response:
        """One segment: its condition, its size, who is in it now where that is asked for, and its form."""
        stored = await self._stored(request, viewer)
        refused = refusal(request)
        tried = None
        if not refused and request.query_params.get("who") == "now":
            tried = await self._api.asked(request, viewer, "POST", "/v1/segments/preview", {"segment": stored["name"]})
        return self._one(request, viewer, stored, refused.typed if refused else {}, tried)

    async def change(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Another condition, description or name, unless somebody changed it meanwhile; or a look at whom it would
        cover."""
        body = _body(form)
        if form.get("do") == TRY:
            tried = await self._tried(request, viewer, body["when"])
            return self._one(request, viewer, await self._stored(request, viewer), form, tried)
        changed = await self._api.asked(request, viewer, "PUT", self._where(request), body, if_match=looked_at(form))
        return self._to(request, f"/segments/{changed['name']}", done="saved")

    async def remove(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Forgets a segment that nothing asks about."""
        await self._api.asked(request, viewer, "DELETE", self._where(request), if_match=looked_at(form))
        return self._to(request, "/segments", done="removed")

    async def _all(self, request: Request, viewer: Viewer, typed: Mapping[str, str], tried: object = None) -> Response:
        found = (await self._api.asked(request, viewer, "GET", "/v1/segments"))["segments"]
        return self._page(
            request,
            viewer,
            "segments",
            segments=found,
            values={name: typed.get(name, "") for name in ("name", "description", "when")},
            tried=tried,
            help=help_in(Place.SEGMENT),
            token=self._token(request, FORM),
        )

    def _one(
        self, request: Request, viewer: Viewer, stored: dict[str, Any], typed: Mapping[str, str], tried: object
    ) -> Response:
        as_stored = {"name": stored["name"], "description": stored["description"], "when": stored["text"] or ""}
        return self._page(
            request,
            viewer,
            "segment",
            segment=stored,
            values=as_stored | {name: typed[name] for name in as_stored if name in typed},
            revision=revision_of(request, typed, stored["version"]),
            tried=tried,
            of_form="when" in typed,
            help=help_in(Place.SEGMENT),
            token=self._token(request, FORM),
        )

    async def _stored(self, request: Request, viewer: Viewer) -> Any:
        return await self._api.asked(request, viewer, "GET", self._where(request))

    async def _tried(self, request: Request, viewer: Viewer, when: object) -> Any:
        if when is None:
            return None
        return await self._api.asked(request, viewer, "POST", "/v1/segments/preview", {"when": when})

    @staticmethod
    def _where(request: Request) -> str:
        return f"/v1/segments/{quote(request.path_params['segment'], safe='')}"


def called(pointer: str, typed: Mapping[str, str]) -> tuple[str, str]:
    """The form's field, and what stands over it, of what the API calls ``pointer``."""
    labels = {"name": "Name", "description": "What it is for"}
    name = pointer.split("/")[1] if "/" in pointer else pointer
    return (name, labels[name]) if name in labels else ("when", "Condition")


def _body(form: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": form.get("name", "").strip(),
        "description": form.get("description", "").strip(),
        "when": written(form.get("when", "")),
    }
