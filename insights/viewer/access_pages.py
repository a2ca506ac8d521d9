"""Settings, keys and members: what opens the project, and who may do what in it."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from insights.access.operations import SCOPES
from insights.access.roles import Role
from insights.errors import Refused
from insights.viewer.faulty_fields import labelled
from insights.viewer.gate import Viewer
from insights.viewer.page_group import path_id
from insights.viewer.settings_section import FORM, SettingsSection
from insights.viewer.shown_once import hand_over, take_away

HOUR: Final = 3600


class AccessPages(SettingsSection):
    """Keys are shown once, when they are made; so are the links of invitations."""

    def routes(self) -> list[BaseRoute]:
        admin = Role.ADMIN
        return [
            self._get("/settings/keys", self.keys, role=admin),
            self._post(
                "/settings/keys",
                self.make_key,
                form=FORM,
                refused="No key was made",
                role=admin,
                again=self.keys,
                called=labelled({"name": "What it is for", "scopes": "Only for"}),
            ),
            self._post("/settings/keys/{key_id}/rotate", self.rotate_key, form=FORM, role=admin),
            self._post("/settings/keys/{key_id}/revoke", self.revoke_key, form=FORM, role=admin),
            self._get("/settings/members", self.members, role=admin),
            self._post(
                "/settings/members",
                self.invite,
                form=FORM,
                refused="Nobody was invited",
                role=admin,
                again=self.members,
                called=labelled({"email": "E-mail address"}),
            ),
            self._post("/settings/members/{member_id}/role", self.give_role, form=FORM, role=admin),
            self._post("/settings/members/{member_id}/remove", self.remove_member, form=FORM, role=admin),
            self._post("/settings/invitations/{invitation_id}/revoke", self.revoke_invitation, form=FORM, role=admin),
        ]

    async def keys(self, request: Request, viewer: Viewer) -> Response:
        """Every key, a form for a new one, and the key that was just made."""
        keys = (await self._api.asked(request, viewer, "GET", "/v1/keys"))["keys"]
        now = self._now().isoformat()
        for key in keys:
            over = key["expires_at"] is not None and key["expires_at"] <= now.replace("+00:00", "Z")
            key["good"] = key["revoked_at"] is None and not over
        fresh = self._made(request, "key")
        answer = self._section(
            request, viewer, "keys", keys=keys, scopes=sorted(SCOPES), server=self._server(request), made=fresh
        )
        return take_away(request, answer)

    async def make_key(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """A new key, shown once, on the page that follows."""
        body: dict[str, Any] = {"kind": form.get("kind", ""), "name": form.get("name", "").strip()}
        if body["kind"] == "secret":
            body["role"] = form.get("role", "reader")
            body["scopes"] = form.get("scopes", "").replace(",", " ").split()
        made = await self._api.asked(request, viewer, "POST", "/v1/keys", body)
        told = {"key": made["key"], "kind": made["kind"], "overlap": None}
        return hand_over(self._desk.gate, request, self._to(request, "/settings/keys"), told)

    async def rotate_key(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """A key in place of another, shown once, on the page that follows."""
        hours = form.get("hours", "24")
        if not hours.isdecimal() or len(hours) > 4:
            raise Refused("How many hours shall the old key stay good? Write a number.", field="hours")
        path = f"/v1/keys/{path_id(request, 'key_id', 'key')}/rotate"
        made = await self._api.asked(request, viewer, "POST", path, {"overlap_seconds": int(hours) * HOUR})
        told = {"key": made["key"], "kind": made["kind"], "overlap": int(hours)}
        return hand_over(self._desk.gate, request, self._to(request, "/settings/keys"), told)

    async def revoke_key(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Ends a key at once."""
        await self._api.asked(request, viewer, "DELETE", f"/v1/keys/{path_id(request, 'key_id', 'key')}")
        return self._to(request, "/settings/keys", done="key_revoked")

    async def members(self, request: Request, viewer: Viewer) -> Response:
        """Who may look into the project, who is invited, and the invitation that was just made."""
        found = await self._api.asked(request, viewer, "GET", "/v1/members")
        fresh = self._made(request, "link")
        return take_away(request, self._section(request, viewer, "members", made=fresh, **found))

    async def invite(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """An invitation; its link is shown once, on the page that follows."""
        body = {"email": form.get("email", ""), "role": form.get("role", "reader")}
        made = await self._api.asked(request, viewer, "POST", "/v1/members/invitations", body)
        told = {name: made[name] for name in ("email", "link", "mailed")}
        return hand_over(self._desk.gate, request, self._to(request, "/settings/members"), told)

    async def give_role(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Another role for a member."""
        path = f"/v1/members/{path_id(request, 'member_id', 'member')}"
        await self._api.asked(request, viewer, "PATCH", path, {"role": form.get("role", "")})
        return self._to(request, "/settings/members", done="role_given")

    async def remove_member(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Takes somebody out of the project."""
        await self._api.asked(request, viewer, "DELETE", f"/v1/members/{path_id(request, 'member_id', 'member')}")
        return self._to(request, "/settings/members", done="member_out")

    async def revoke_invitation(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Its link works no more."""
        path = f"/v1/members/invitations/{path_id(request, 'invitation_id', 'invitation')}"
        await self._api.asked(request, viewer, "DELETE", path)
        return self._to(request, "/settings/members", done="uninvited")
