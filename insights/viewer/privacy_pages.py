"""Pages of what the law lets a person ask for: a copy of everything stored of them, and that it goes."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from insights.access.roles import Role
from insights.channels.store import listed
from insights.errors import Refused
from insights.identity.acquaintance import read_acquaintance
from insights.privacy.export import export_visitors, written
from insights.privacy.requests import ask, note_export
from insights.viewer.gate import Viewer
from insights.viewer.page_group import PageGroup, path_id

FORM: Final = "privacy"
"""What these forms are signed for."""

ERASE: Final = "erase"
"""What somebody types who means it."""


class PrivacyPages(PageGroup):
    """Export and erasure of one person, for admins."""

    def routes(self) -> list[BaseRoute]:
        where, admin = "/visitors/{visitor_id}", Role.ADMIN
        return [
            self._post(f"{where}/export", self.export, form=FORM, refused="Nothing was handed over", role=admin),
            self._post(f"{where}/erase", self.erase, form=FORM, refused="Nothing was erased", role=admin),
        ]

    async def export(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Everything stored of the person, as a file; that it was handed over, and to whom, stays as a request."""
        visitor_id = path_id(request, "visitor_id", "visitor")
        async with self._database.transaction(viewer.project_id) as tx:
            known = await read_acquaintance(tx, viewer.project_id, visitor_id)
            found = await export_visitors(tx, viewer.project_id, known.visitors)
            await note_export(tx, viewer.project_id, found, viewer.name, self._now())
        return Response(
            await written(found),
            media_type="application/json",
            headers={
                "Content-Disposition": f'attachment; filename="visitor-{visitor_id}.json"',
                "Cache-Control": "no-store",
            },
        )

    async def erase(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Takes the request down; a worker carries it out within a minute."""
        if form.get("sure", "").strip().lower() != ERASE:
            raise Refused(
                f"Type “{ERASE}” to say that you mean it: what is erased cannot be brought back.", field="sure"
            )
        visitor_id = path_id(request, "visitor_id", "visitor")
        async with self._database.transaction(viewer.project_id) as tx:
            known = await read_acquaintance(tx, viewer.project_id, visitor_id)
            who = {"visitors": [str(device) for device in known.visitors]}
            await ask(tx, viewer.project_id, "erase_person", who, viewer.name, self._now())
            connected = ", ".join(channel.name for channel in await listed(tx, viewer.project_id))
        return self._say(
            request,
            viewer,
            202,
            "They are being erased",
            "Everything stored of this person goes within a minute, on all their devices. What counts nobody, like the "
            "figures of a report, stays. "
            + (
                f"Your connected tools are asked to erase them, too ({connected}): Settings, Privacy says what each "
                "of them answered."
                if connected
                else "No tool is connected that would have to forget them, too."
            ),
        )
