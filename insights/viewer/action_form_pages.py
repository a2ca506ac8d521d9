"""Pages on which live actions are made, changed, switched off and on, and removed; each change goes through the API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from insights.access.roles import Role
from insights.conditions.places import Place
from insights.decisions.entries import TEMPLATES, Entry
from insights.decisions.incentives import Incentive
from insights.errors import NotFound
from insights.models import LiveActionEntry
from insights.plans.entries import get_entry
from insights.plans.shop import stored_shop
from insights.viewer.action_form import KINDS, LABELS, WORDS, begun, body_of, called, shown, written_places
from insights.viewer.action_preview import as_frame, built_in, painted_entry
from insights.viewer.condition_form import help_in
from insights.viewer.feedback import refusal
from insights.viewer.gate import Viewer
from insights.viewer.own_api import OwnApi
from insights.viewer.page_group import Desk, PageGroup, looked_at, path_id, revision_of
from insights.vocabulary.actions import LiveAction
from insights.vocabulary.stages import Stage

FORM: Final = "live actions"
"""What the forms of these pages are signed for."""

MOST_BYTES: Final = 200_000
"""Words in twenty languages, url-encoded."""

_FEW_DIGITS: Final = re.compile(r"[0-9]{1,3}")
_MISSING: Final = "No such live action"


class ActionFormPages(PageGroup):
    """What the shop shows of its own accord, in its own words."""

    def __init__(self, desk: Desk, api: OwnApi) -> None:
        super().__init__(desk)
        self._api = api

    def routes(self) -> list[BaseRoute]:
        one: dict[str, Any] = {"form": FORM, "called": called, "most": MOST_BYTES}
        return [
            self._get("/actions/new", self.new, missing=_MISSING, role=Role.EDITOR),
            self._post("/actions/new", self.make, refused="No live action was made", again=self.new, **one),
            self._get("/actions/frame", self.frame, missing=_MISSING),
            self._post("/actions/frame", self.draw, **one),
            self._get("/actions/{entry}/edit", self.edit, missing=_MISSING, role=Role.EDITOR),
            self._post("/actions/{entry}/edit", self.change, again=self.edit, **one),
            self._post("/actions/{entry}/switch", self.switch, refused="It was not switched", **one),
            self._post("/actions/{entry}/remove", self.remove, refused="It was not removed", **one),
        ]

    async def new(self, request: Request, viewer: Viewer) -> Response:
        """The form of an action of a kind, with the words of the built-in one to begin with."""
        refused = refusal(request)
        if refused is not None:
            return await self._form(request, viewer, refused.typed)
        kind = request.query_params.get("kind", KINDS[0])
        if kind not in KINDS:
            raise NotFound("There is no such kind of live action.")
        return await self._form(request, viewer, begun(kind))

    async def make(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """A new action; it is shown from then on, or waits switched off."""
        body = body_of(form, await self._currency(viewer), enabled=form.get("do") != "off")
        made = await self._api.asked(request, viewer, "POST", "/v1/live-actions", body)
        return self._to(request, f"/actions/{made['id']}", done="action_made" if made["enabled"] else "switched_off")

    async def edit(self, request: Request, viewer: Viewer) -> Response:
        """The form of a stored action."""
        where = request.path_params["entry"]
        if built_in(where) is not None:
            return self._to(request, f"/actions/new?kind={where}")
        row = await self._row(request, viewer)
        refused = refusal(request)
        values = refused.typed if refused else shown(row.definition, await self._currency(viewer))
        return await self._form(request, viewer, values, row)

    async def change(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Another wording, bound or condition, unless somebody changed it meanwhile. On or off it stays as it was."""
        row = await self._row(request, viewer)
        body = body_of(form, await self._currency(viewer), enabled=row.enabled)
        path = f"/v1/live-actions/{row.id}"
        await self._api.asked(request, viewer, "PUT", path, body, if_match=looked_at(form))
        return self._to(request, f"/actions/{row.id}", done="saved")

    async def switch(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Off, so that nobody is shown it; or on again."""
        row = await self._row(request, viewer)
        on = form.get("do") == "on"
        body, path = {**row.definition, "enabled": on}, f"/v1/live-actions/{row.id}"
        await self._api.asked(request, viewer, "PUT", path, body, if_match=looked_at(form))
        return self._to(request, f"/actions/{row.id}", done="switched_on" if on else "switched_off")

    async def remove(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Forgets an action; the built-in one of its kind takes its place again."""
        path = f"/v1/live-actions/{path_id(request, 'entry', 'live action')}"
        await self._api.asked(request, viewer, "DELETE", path, if_match=looked_at(form))
        return self._to(request, "/actions", done="removed")

    async def frame(self, request: Request, viewer: Viewer) -> Response:
        """Where a look at what is typed will appear: until then the sketch of a page alone."""
        return as_frame(self._page(request, viewer, "frame", action="null", locale="en"))

    async def draw(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """What was typed, as visitors would see it; nothing is stored."""
        look = form.get("look", "")
        return self._drawn(request, viewer, form, int(look) if _FEW_DIGITS.fullmatch(look) else 0)

    def _drawn(self, request: Request, viewer: Viewer, form: Mapping[str, str], place: int) -> Response:
        words = {name: form.get(f"{name}.{place}", "").strip() for name in WORDS}
        percent = form.get("percent", "").strip()
        template, kind = form.get("template", ""), form.get("action", "")
        entry = Entry(
            name="",
            action=LiveAction(kind) if kind in KINDS else LiveAction.TRUST_CARD,
            template=next((one for one in TEMPLATES if one == template), "popup"),
            content={"default": {name: text for name, text in words.items() if text}},
            stages=(),
            incentive=Incentive(percent=int(percent)) if _FEW_DIGITS.fullmatch(percent) else None,
        )
        locale = form.get(f"language.{place}", "").strip()
        painted = painted_entry(entry)[0]
        locale = locale if locale not in ("", "default") else "en"
        return as_frame(self._page(request, viewer, "frame", action=painted.action, locale=locale))

    async def _form(
        self, request: Request, viewer: Viewer, values: Mapping[str, str], row: LiveActionEntry | None = None
    ) -> Response:
        blocks = written_places(values)
        spare = max(blocks, default=-1) + 1
        currency = await self._currency(viewer)
        return self._page(
            request,
            viewer,
            "action_form",
            row=row,
            values=values,
            kind=values.get("action", ""),
            own_revision=revision_of(request, values, row.version) if row is not None else "",
            blocks=[*blocks, spare],
            spare=spare,
            words=WORDS,
            labels=LABELS,
            templates=TEMPLATES,
            stages=tuple(Stage),
            currency=currency,
            help=help_in(Place.LIVE),
            token=self._token(request, FORM),
        )

    async def _currency(self, viewer: Viewer) -> str | None:
        async with self._reader.reading(viewer.project_id) as tx:
            shop = await stored_shop(tx, viewer.project_id)
        return shop.currency if shop is not None else None

    async def _row(self, request: Request, viewer: Viewer) -> LiveActionEntry:
        entry_id = path_id(request, "entry", "live action")
        async with self._reader.reading(viewer.project_id) as tx:
            return await get_entry(tx, viewer.project_id, entry_id)
