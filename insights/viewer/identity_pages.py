"""Settings, identity: whether who somebody is must be signed, with which secrets, and how much of what came was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from insights.access.roles import Role
from insights.identity.proof import Mode, Verdict
from insights.plans.entries import list_entries
from insights.viewer.address_forms import address_forms
from insights.viewer.faulty_fields import labelled
from insights.viewer.gate import Viewer
from insights.viewer.page_group import path_id
from insights.viewer.settings_section import FORM, SettingsSection
from insights.viewer.shown_once import hand_over, take_away
from insights.viewer.typed_figures import whole

OVERLAPS: Final = {0: "no longer", 3600: "an hour", 86_400: "a day", 604_800: "a week", 2_592_000: "30 days"}
"""Seconds → for how long what was signed with the secrets before is still believed."""

KINDS: Final = {"user_id": "User ids", "email": "E-mail addresses", "phone": "Phone numbers"}
"""Kind of name → what people call it."""

_OVERLAP: Final = "The ones before stay good for"


class IdentityPages(SettingsSection):
    """A secret is shown once, when it is made."""

    def routes(self) -> list[BaseRoute]:
        admin = Role.ADMIN
        return [
            self._get("/settings/identity", self.identity, role=admin),
            self._post("/settings/identity", self.change_mode, form=FORM, role=admin, again=self.identity),
            self._post(
                "/settings/identity/secrets",
                self.make_secret,
                form=FORM,
                refused="No secret was made",
                role=admin,
                again=self.identity,
                called=labelled({"overlap_seconds": _OVERLAP}),
            ),
            self._post(
                "/settings/identity/secrets/{secret_id}/end",
                self.end_secret,
                form=FORM,
                role=admin,
                again=self.identity,
            ),
        ]

    async def identity(self, request: Request, viewer: Viewer) -> Response:
        """What is asked for, what came, the secrets, and the one that was just made."""
        found = await self._api.asked(request, viewer, "GET", "/v1/identity")
        async with self._reader.reading(viewer.project_id) as tx:
            forms = address_forms(await list_entries(tx, viewer.project_id), self._now())
        answer = self._section(
            request,
            viewer,
            "identity",
            mode=found["mode"],
            secrets=found["secrets"],
            kinds=KINDS,
            kind_counts=counted(found["claims"], "name"),
            day_counts=counted(found["claims"], "day", "name"),
            forms=forms,
            overlaps=OVERLAPS,
            overlap_label=_OVERLAP,
            made=self._made(request, "identity_secret"),
        )
        return take_away(request, answer)

    async def change_mode(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Asks for signatures, or no more."""
        mode = form.get("mode", "")
        await self._api.asked(request, viewer, "PATCH", "/v1/identity", {"mode": mode})
        return self._to(request, "/settings/identity", done=TAKEN.get(mode, ""))

    async def make_secret(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """A new secret, shown once, on the page that follows."""
        overlap = whole("overlap_seconds", _OVERLAP, form.get("overlap_seconds", "")) or 0
        made = await self._api.asked(request, viewer, "POST", "/v1/identity/secrets", {"overlap_seconds": overlap})
        told = {"identity_secret": made["secret"]}
        return hand_over(self._desk.gate, request, self._to(request, "/settings/identity"), told)

    async def end_secret(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """What was signed with it is believed no more."""
        path = f"/v1/identity/secrets/{path_id(request, 'secret_id', 'secret')}"
        await self._api.asked(request, viewer, "DELETE", path)
        return self._to(request, "/settings/identity", done="secret_ended")


def counted(claims: Iterable[Mapping[str, Any]], *by: str) -> list[dict[str, Any]]:
    """Claims in rows of the same ``by``, in the order in which they come, with how many there are of each verdict."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in claims:
        group = {name: one[name] for name in by}
        row = rows.setdefault(tuple(group.values()), group | dict.fromkeys(map(str, Verdict), 0))
        row[one["verdict"]] += one["claims"]
    return list(rows.values())


TAKEN: Final[Mapping[str, str]] = {Mode.OFF: "not_asked", Mode.OBSERVE: "observed", Mode.REQUIRED: "required"}
"""Mode → what is said once it holds."""
