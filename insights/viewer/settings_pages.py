"""Settings, the project: its name and shop, the model, privacy, and what was changed by whom."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from insights.access.members import make_admin, places_of
from insights.access.projects import archive_project, make_project
from insights.access.roles import Role
from insights.errors import Conflict, Refused
from insights.models import Member
from insights.viewer.faulty_fields import labelled
from insights.viewer.gate import Viewer
from insights.viewer.login_pages import LoginPages
from insights.viewer.own_api import OwnApi
from insights.viewer.page_group import Desk, path_id
from insights.viewer.settings_section import FORM, SettingsSection
from insights.viewer.shop_form import SAID, given, shown
from insights.viewer.typed_figures import number
from insights.viewer.wording import label


class SettingsPages(SettingsSection):
    """What an admin sets a project to."""

    def __init__(self, desk: Desk, api: OwnApi, login_pages: LoginPages) -> None:
        super().__init__(desk, api)
        self._login_pages = login_pages

    def routes(self) -> list[BaseRoute]:
        admin = Role.ADMIN
        return [
            self._get("/settings", self.start),
            self._get("/settings/project", self.project, role=admin),
            self._post("/settings/project", self.change_project, form=FORM, role=admin, again=self.project),
            self._post(
                "/settings/shop", self.change_shop, form=FORM, role=admin, again=self.project, called=labelled(SAID)
            ),
            self._post("/settings/project/archive", self.archive, form=FORM, role=admin),
            self._post("/settings/projects", self.make_project, form=FORM, role=admin),
            self._get("/settings/model", self.model, role=admin),
            self._post(
                "/settings/model",
                self.change_model,
                form=FORM,
                role=admin,
                again=self.model,
                called=labelled(_TEXTS | _NUMBERS),
            ),
            self._get("/settings/privacy", self.privacy, role=admin),
            self._post(
                "/settings/privacy",
                self.change_privacy,
                form=FORM,
                role=admin,
                again=self.privacy,
                called=labelled(PRIVACY),
            ),
            self._post("/settings/privacy/providers/{erasure_id}", self.resolve_erasure, form=FORM, role=admin),
            self._get("/settings/changes", self.changes, role=admin),
        ]

    async def start(self, request: Request, viewer: Viewer) -> Response:
        """Where settings begin: for an admin the keys, for others what is theirs."""
        if viewer.may("admin"):
            return self._to(request, "/settings/keys")
        return self._to(request, "/settings/you")

    async def project(self, request: Request, viewer: Viewer) -> Response:
        """Name, whose pages may report, what the shop says of itself, and the other projects of whoever looks."""
        places = []
        if viewer.member_id is not None:
            async with self._database.transaction(None) as tx:
                places = await places_of(tx, viewer.member_id)
        return self._section(
            request,
            viewer,
            "project",
            project=await self._api.asked(request, viewer, "GET", "/v1/project"),
            shop=shown(await self._api.asked(request, viewer, "GET", "/v1/shop")),
            projects=places,
        )

    async def change_project(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Another name, other pages that may report."""
        body = {"name": form.get("name", ""), "allowed_origins": form.get("origins", "").split()}
        await self._api.asked(request, viewer, "PATCH", "/v1/project", body)
        return self._to(request, "/settings/project", done="saved")

    async def change_shop(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """What an order leaves the shop, what delivery costs, and how many are held out."""
        await self._api.asked(request, viewer, "PATCH", "/v1/shop", given(form))
        return self._to(request, "/settings/project", done="saved")

    async def make_project(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """A new project whose admin is whoever made it; they are led into it."""
        if viewer.member_id is None:
            raise Conflict("Only a member can make a project here: a key belongs to this one. Use `whyleft projects`.")
        async with self._database.transaction(None) as tx:
            made = await make_project(tx, form.get("name", ""))
            await make_admin(tx, made.id, viewer.member_id, self._now())
            member = await tx.get_one(Member, viewer.member_id)
        entered = await self._login_pages.admit(request, member, "", project_id=made.id)
        return entered or self._to(request, "/settings/project")

    async def archive(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Closes the project, if its name was typed."""
        if form.get("name", "").strip() != viewer.project_name:
            raise Refused("Type the project's name to say that you mean it.", field="name")
        await archive_project(self._database, viewer.project_id, self._now())
        return self._desk.gate.to_login_plainly(request)

    async def model(self, request: Request, viewer: Viewer) -> Response:
        """Which model names reasons, and what it may cost."""
        return self._section(
            request, viewer, "model", model=await self._api.asked(request, viewer, "GET", "/v1/settings/insights")
        )

    async def change_model(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Changes what was filled in; an empty field goes back to what the server does. An empty key stays, unless the
        address that it was given for is emptied."""
        body: dict[str, Any] = {name: form.get(name, "").strip() or None for name in ("base_url", "model", "language")}
        for name, said in _NUMBERS.items():
            body[name] = number(name, said, form.get(name, ""))
        if form.get("api_key", "").strip():
            body["api_key"] = form["api_key"].strip()
        elif body["base_url"] is None:
            before = await self._api.asked(request, viewer, "GET", "/v1/settings/insights")
            if "base_url" in before["own"]:
                body["api_key"] = None
        await self._api.asked(request, viewer, "PATCH", "/v1/settings/insights", body)
        return self._to(request, "/settings/model", done="saved")

    async def privacy(self, request: Request, viewer: Viewer) -> Response:
        """For how long visits are kept, which fields, and what people asked for."""
        return self._section(
            request,
            viewer,
            "privacy",
            privacy=await self._api.asked(request, viewer, "GET", "/v1/privacy/settings"),
            requests=(await self._api.asked(request, viewer, "GET", "/v1/privacy/requests"))["requests"],
        )

    async def change_privacy(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Changes them; an empty field goes back to what the server does."""
        days = number("keep_days", PRIVACY["keep_days"], form.get("keep_days", ""))
        fields = form.get("extra_fields", "").split() if form.get("limit_fields") else None
        body = {"keep_days": days, "extra_fields": fields}
        await self._api.asked(request, viewer, "PATCH", "/v1/privacy/settings", body)
        return self._to(request, "/settings/privacy", done="saved")

    async def resolve_erasure(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Asks a provider again to erase somebody, or takes down that it was done there by hand."""
        body = {"do": form.get("do", ""), "by": viewer.name}
        path = f"/v1/privacy/providers/{path_id(request, 'erasure_id', 'erasure')}"
        await self._api.asked(request, viewer, "POST", path, body)
        return self._to(request, "/settings/privacy", done="asked_again" if body["do"] == "retry" else "noted")

    async def changes(self, request: Request, viewer: Viewer) -> Response:
        """What was changed, by whom."""
        asked = {name: request.query_params[name] for name in ("subject", "before") if request.query_params.get(name)}
        found = await self._api.asked(request, viewer, "GET", "/v1/audit", query=urlencode({"limit": 50} | asked))
        older = ""
        if found["next"] is not None:
            older = "?" + urlencode({**asked, "before": found["next"]})
        return self._section(
            request,
            viewer,
            "changes",
            entries=found["entries"],
            subject=asked.get("subject", ""),
            subjects=SUBJECTS,
            telling=_telling,
            older=older,
            paged="before" in asked,
        )


_TEXTS: Final = {
    "base_url": "Address",
    "model": "Model",
    "api_key": "Key",
    "language": "Language of the narratives",
}
_NUMBERS: Final = {
    "threshold": "Unclear below a confidence of",
    "price_in": "A million tokens sent cost",
    "price_out": "A million tokens answered cost",
    "daily_ceiling": "May cost a day at most",
}
"""Field → what stands over it in the form of the model."""

PRIVACY: Final = {"keep_days": "Visits are erased after so many days", "extra_fields": "Fields to keep"}
"""Field → what stands over it in the form of what is kept."""

SUBJECTS: Final = {
    "": "everything",
    "key": "keys",
    "member": "members",
    "invitation": "invitations",
    "link to a new password": "links to new passwords",
    "login": "logins",
    "project": "the project",
    "flow": "flows",
    "flow version": "published flows",
    "flow rules": "rules of all flows",
    "segment": "segments",
    "live action": "live actions",
    "policy": "policies",
    "message": "messages",
    "channel": "channels",
    "insight settings": "the model",
    "shop": "the shop",
    "webhook source": "webhook sources",
    "identity secret": "identity secrets",
    "privacy request": "requests of people",
    "run": "runs that somebody started or ended",
    "saved view": "saved views",
}
"""What the list of changes can be narrowed to."""


def _telling(entry: dict[str, Any]) -> str:
    """What an entry of the log is about, in a few words: not the ids and times that every row has."""
    names = sorted({*(entry["before"] or {}), *(entry["after"] or {})})
    told = [name for name in names if name != "id" and not name.endswith(("_id", "_hash", "created_at", "updated_at"))]
    told = told or [name.removesuffix("_id") for name in names]
    return ", ".join(label(name).lower() for name in told)
