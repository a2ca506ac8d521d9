"""Settings of a project: keys, members and roles, the project itself, model, privacy, and what was changed by whom.

What they show and change goes through the product's own API, which checks role and input for people as for programs.
"""

from __future__ import annotations

import math
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from insights.access.members import make_admin, places_of
from insights.access.operations import SCOPES
from insights.access.projects import archive_project, make_project
from insights.access.roles import Role
from insights.errors import Conflict, Refused, WhyleftError
from insights.models import Member
from insights.viewer.gate import Viewer
from insights.viewer.login_pages import LoginPages
from insights.viewer.own_api import OwnApi
from insights.viewer.page_group import Desk, PageGroup, path_id
from insights.viewer.shop_form import given, shown
from insights.viewer.wording import label

FORM: Final = "settings"
"""What these forms are signed for."""

HOUR: Final = 3600


class SettingsPages(PageGroup):
    """What an admin sets a project to."""

    def __init__(self, desk: Desk, api: OwnApi, login_pages: LoginPages) -> None:
        super().__init__(desk)
        self._api = api
        self._login_pages = login_pages

    def routes(self) -> list[BaseRoute]:
        admin = Role.ADMIN
        return [
            self._get("/settings", self.start),
            self._get("/settings/keys", self.keys, role=admin),
            self._post("/settings/keys", self.make_key, form=FORM, refused="No key was made", role=admin),
            self._post("/settings/keys/{key_id}/rotate", self.rotate_key, form=FORM, role=admin),
            self._post("/settings/keys/{key_id}/revoke", self.revoke_key, form=FORM, role=admin),
            self._get("/settings/members", self.members, role=admin),
            self._post("/settings/members", self.invite, form=FORM, refused="Nobody was invited", role=admin),
            self._post("/settings/members/{member_id}/role", self.give_role, form=FORM, role=admin),
            self._post("/settings/members/{member_id}/remove", self.remove_member, form=FORM, role=admin),
            self._post("/settings/invitations/{invitation_id}/revoke", self.revoke_invitation, form=FORM, role=admin),
            self._get("/settings/project", self.project, role=admin),
            self._post("/settings/project", self.change_project, form=FORM, role=admin),
            self._post("/settings/shop", self.change_shop, form=FORM, role=admin),
            self._post("/settings/project/archive", self.archive, form=FORM, role=admin),
            self._post("/settings/projects", self.make_project, form=FORM, role=admin),
            self._get("/settings/model", self.model, role=admin),
            self._post("/settings/model", self.change_model, form=FORM, role=admin),
            self._get("/settings/privacy", self.privacy, role=admin),
            self._post("/settings/privacy", self.change_privacy, form=FORM, role=admin),
            self._post("/settings/privacy/providers/{erasure_id}", self.resolve_erasure, form=FORM, role=admin),
            self._get("/settings/changes", self.changes, role=admin),
        ]

    async def start(self, request: Request, viewer: Viewer) -> Response:
        """Where settings begin: for an admin the keys, for others what is theirs."""
        if viewer.may("admin"):
            return self._to(request, "/settings/keys")
        return self._to(request, "/settings/you")

    async def keys(self, request: Request, viewer: Viewer) -> Response:
        """Every key, and a form for a new one."""
        return await self._keys(request, viewer)

    async def make_key(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """A new key, shown this once."""
        body: dict[str, Any] = {"kind": form.get("kind", ""), "name": form.get("name", "").strip()}
        if body["kind"] == "secret":
            body["role"] = form.get("role", "reader")
            body["scopes"] = form.get("scopes", "").replace(",", " ").split()
        made = await self._ask(request, viewer, "POST", "/v1/keys", body)
        return await self._keys(request, viewer, made=made)

    async def rotate_key(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """A key in place of another, shown this once."""
        hours = form.get("hours", "24")
        if not hours.isdecimal() or len(hours) > 4:
            raise Refused("hours: how many hours shall the old key stay good? Write a number.", field="hours")
        path = f"/v1/keys/{path_id(request, 'key_id', 'key')}/rotate"
        made = await self._ask(request, viewer, "POST", path, {"overlap_seconds": int(hours) * HOUR})
        return await self._keys(request, viewer, made=made, overlap=int(hours))

    async def revoke_key(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Ends a key at once."""
        await self._ask(request, viewer, "DELETE", f"/v1/keys/{path_id(request, 'key_id', 'key')}")
        return self._to(request, "/settings/keys")

    async def members(self, request: Request, viewer: Viewer) -> Response:
        """Who may look into the project, and who is invited."""
        return await self._members(request, viewer)

    async def invite(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """An invitation; its link is shown this once."""
        body = {"email": form.get("email", ""), "role": form.get("role", "reader")}
        return await self._members(
            request, viewer, made=await self._ask(request, viewer, "POST", "/v1/members/invitations", body)
        )

    async def give_role(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Another role for a member."""
        path = f"/v1/members/{path_id(request, 'member_id', 'member')}"
        await self._ask(request, viewer, "PATCH", path, {"role": form.get("role", "")})
        return self._to(request, "/settings/members")

    async def remove_member(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Takes somebody out of the project."""
        await self._ask(request, viewer, "DELETE", f"/v1/members/{path_id(request, 'member_id', 'member')}")
        return self._to(request, "/settings/members")

    async def revoke_invitation(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Its link works no more."""
        path = f"/v1/members/invitations/{path_id(request, 'invitation_id', 'invitation')}"
        await self._ask(request, viewer, "DELETE", path)
        return self._to(request, "/settings/members")

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
            project=await self._ask(request, viewer, "GET", "/v1/project"),
            shop=shown(await self._ask(request, viewer, "GET", "/v1/shop")),
            projects=places,
        )

    async def change_project(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Another name, other pages that may report."""
        body = {"name": form.get("name", ""), "allowed_origins": form.get("origins", "").split()}
        await self._ask(request, viewer, "PATCH", "/v1/project", body)
        return self._to(request, "/settings/project")

    async def change_shop(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """What an order leaves the shop, what delivery costs, and how many are held out."""
        await self._ask(request, viewer, "PATCH", "/v1/shop", given(form, _number))
        return self._to(request, "/settings/project")

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
            request, viewer, "model", model=await self._ask(request, viewer, "GET", "/v1/settings/insights")
        )

    async def change_model(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Changes what was filled in; an empty field goes back to what the server does, an empty key stays."""
        body: dict[str, Any] = {name: form.get(name, "").strip() or None for name in ("base_url", "model", "language")}
        for name in ("threshold", "price_in", "price_out", "daily_ceiling"):
            body[name] = _number(name, form.get(name, ""))
        if form.get("api_key", "").strip():
            body["api_key"] = form["api_key"].strip()
        await self._ask(request, viewer, "PATCH", "/v1/settings/insights", body)
        return self._to(request, "/settings/model")

    async def privacy(self, request: Request, viewer: Viewer) -> Response:
        """For how long visits are kept, which fields, and what people asked for."""
        return self._section(
            request,
            viewer,
            "privacy",
            privacy=await self._ask(request, viewer, "GET", "/v1/privacy/settings"),
            requests=(await self._ask(request, viewer, "GET", "/v1/privacy/requests"))["requests"],
        )

    async def change_privacy(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Changes them; an empty field goes back to what the server does."""
        days = _number("keep_days", form.get("keep_days", ""))
        fields = form.get("extra_fields", "").split() if form.get("limit_fields") else None
        body = {"keep_days": days, "extra_fields": fields}
        await self._ask(request, viewer, "PATCH", "/v1/privacy/settings", body)
        return self._to(request, "/settings/privacy")

    async def resolve_erasure(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Asks a provider again to erase somebody, or takes down that it was done there by hand."""
        body = {"do": form.get("do", ""), "by": viewer.name}
        path = f"/v1/privacy/providers/{path_id(request, 'erasure_id', 'erasure')}"
        await self._ask(request, viewer, "POST", path, body)
        return self._to(request, "/settings/privacy")

    async def changes(self, request: Request, viewer: Viewer) -> Response:
        """What was changed, by whom."""
        asked = {name: request.query_params[name] for name in ("subject", "before") if request.query_params.get(name)}
        found = await self._ask(request, viewer, "GET", "/v1/audit", query=urlencode({"limit": 50} | asked))
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

    async def _keys(self, request: Request, viewer: Viewer, **more: Any) -> Response:
        keys = (await self._ask(request, viewer, "GET", "/v1/keys"))["keys"]
        now = self._now().isoformat()
        for key in keys:
            over = key["expires_at"] is not None and key["expires_at"] <= now.replace("+00:00", "Z")
            key["good"] = key["revoked_at"] is None and not over
        shown = {"made": None, "overlap": None} | more
        return self._section(request, viewer, "keys", keys=keys, scopes=sorted(SCOPES), **shown)

    async def _members(self, request: Request, viewer: Viewer, made: Any = None) -> Response:
        found = await self._ask(request, viewer, "GET", "/v1/members")
        return self._section(request, viewer, "members", made=made, **found)

    def _section(self, request: Request, viewer: Viewer, section: str, **context: Any) -> Response:
        token = self._token(request, FORM)
        return self._page(
            request, viewer, f"settings_{section}", section=section, token=token, roles=list(Role), **context
        )

    async def _ask(
        self, request: Request, viewer: Viewer, method: str, path: str, body: Any = None, *, query: str = ""
    ) -> Any:
        answer = await self._api.ask(request, viewer, method, path, body, query=query)
        if not answer.ok:
            raise _Said(answer.status, str(answer.body.get("title", "")), str(answer.body.get("detail", "")))
        return answer.body


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
    "privacy request": "requests of people",
    "run": "runs that somebody started or ended",
    "saved view": "saved views",
}
"""What the list of changes can be narrowed to."""


class _Said(WhyleftError):
    """What the API refused, in its own words."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status  # type: ignore[misc]
        self.title = title  # type: ignore[misc]


def _number(name: str, text: str) -> float | None:
    """What was typed, with a comma or a point. Raises Refused."""
    text = text.strip().replace(",", ".")
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Refused(f"{name}: {text[:20]!r} is not a number.", field=name)
    return number


def _telling(entry: dict[str, Any]) -> str:
    """What an entry of the log is about, in a few words: not the ids and times that every row has."""
    names = sorted({*(entry["before"] or {}), *(entry["after"] or {})})
    told = [name for name in names if name != "id" and not name.endswith(("_id", "_hash", "created_at", "updated_at"))]
    told = told or [name.removesuffix("_id") for name in names]
    return ", ".join(label(name).lower() for name in told)
