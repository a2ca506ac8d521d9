"""What the pages under Settings share: their tabs, the signature of their forms, and the API that they ask."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from insights.access.roles import Role
from insights.viewer.gate import Viewer
from insights.viewer.own_api import OwnApi
from insights.viewer.page_group import Desk, PageGroup
from insights.viewer.shown_once import handed_over

FORM: Final = "settings"
"""What these forms are signed for."""


class SettingsSection(PageGroup):
    """Pages under Settings. What they show and change goes through the product's own API, which checks role and input
    for people as for programs."""

    def __init__(self, desk: Desk, api: OwnApi) -> None:
        super().__init__(desk)
        self._api = api

    def _section(self, request: Request, viewer: Viewer, section: str, **context: Any) -> Response:
        token = self._token(request, FORM)
        return self._page(
            request, viewer, f"settings_{section}", section=section, token=token, roles=list(Role), **context
        )

    def _made(self, request: Request, what: str) -> Any:
        """What the form before this page made, if it has a ``what``."""
        made = handed_over(self._desk.gate, request)
        return made if made is not None and what in made else None
