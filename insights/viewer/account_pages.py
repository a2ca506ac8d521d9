"""What is somebody's own: their password, where they are logged in, and their other projects."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from insights.access.logins import end_logins_of_member, logins_of_member
from insights.access.member_passwords import set_password, still_has
from insights.access.members import places_of
from insights.access.passwords import LONGEST, SHORTEST, Passwords
from insights.access.roles import Role
from insights.access.throttle import LoginThrottles, account
from insights.access.tokens import be_member
from insights.errors import Conflict, NotFound, Refused
from insights.models import Member
from insights.viewer.gate import Viewer
from insights.viewer.login_pages import LoginPages
from insights.viewer.page_group import Desk, PageGroup, path_id

FORM: Final = "you"
"""What these forms are signed for."""


class AccountPages(PageGroup):
    """One person's own page. Whoever came with a key has nothing here but what the key may do."""

    def __init__(self, desk: Desk, login_pages: LoginPages, passwords: Passwords, throttles: LoginThrottles) -> None:
        super().__init__(desk)
        self._login_pages = login_pages
        self._passwords = passwords
        self._throttles = throttles

    def routes(self) -> list[BaseRoute]:
        anybody = Role.READER
        return [
            self._get("/settings/you", self.you),
            self._post("/settings/you/password", self.change_password, form=FORM, role=anybody),
            self._post("/settings/you/project", self.go_to, form=FORM, role=anybody),
            self._post("/settings/you/logins/others", self.end_others, form=FORM, role=anybody),
            self._post("/settings/you/logins/{login_id}", self.end_one, form=FORM, role=anybody),
        ]

    async def you(self, request: Request, viewer: Viewer) -> Response:
        """Password, logins, projects."""
        logins, places = [], []
        if viewer.member_id is not None:
            async with self._database.transaction(None) as tx:
                logins = list(await logins_of_member(tx, viewer.member_id, self._now()))
                places = await places_of(tx, viewer.member_id)
        return self._page(
            request,
            viewer,
            "settings_you",
            section="you",
            token=self._token(request, FORM),
            logins=logins,
            projects=places,
            shortest=SHORTEST,
            longest=LONGEST,
            by_proxy=self._desk.gate.single_sign_on,
        )

    async def change_password(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Another password. Every login with the old one is over; this browser gets a new one."""
        member = await self._member(viewer)
        if form.get("password", "") != form.get("again", ""):
            raise Refused("The two new passwords are not the same.", field="again")
        now = self._now()
        await self._throttles.begin([account(member.email)], now)
        if not (await self._passwords.verify(member.password, form.get("current", ""))).right:
            raise Refused("That is not your present password.", field="current")
        hashed = await self._passwords.hash(form.get("password", ""))
        await self._throttles.succeeded([account(member.email)])
        async with self._database.transaction(viewer.project_id) as tx:
            if not await still_has(tx, member.id, member.password):
                raise Refused("Your password was changed meanwhile. Log in with the new one.", field="current")
            await set_password(tx, member.id, hashed, now)
        entered = await self._login_pages.admit(
            request,
            member,
            f"{request.scope.get('root_path', '')}/settings/you",
            project_id=viewer.project_id,
            by_password=hashed,
        )
        return entered or self._desk.gate.to_login_plainly(request)

    async def go_to(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Into another of their projects, with a new cookie."""
        member = await self._member(viewer)
        async with self._database.transaction(None) as tx:
            places = {str(place.project_id): place.project_id for place in await places_of(tx, member.id)}
        chosen = places.get(form.get("project", ""))
        entered = None
        if chosen is not None:
            entered = await self._login_pages.admit(request, member, "", project_id=chosen)
        if entered is None:
            raise NotFound("You do not belong to that project.")
        return entered

    async def end_one(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Logs one of their browsers out."""
        member = await self._member(viewer)
        login_id = path_id(request, "login_id", "login")
        async with self._database.transaction(None) as tx:
            await end_logins_of_member(tx, member.id, self._now(), only=login_id)
        return self._to(request, "/settings/you", done="logged_out")

    async def end_others(self, request: Request, viewer: Viewer, form: dict[str, str]) -> Response:
        """Logs every other browser of theirs out."""
        member = await self._member(viewer)
        async with self._database.transaction(None) as tx:
            await end_logins_of_member(tx, member.id, self._now(), but=viewer.login_id)
        return self._to(request, "/settings/you", done="logged_out")

    async def _member(self, viewer: Viewer) -> Member:
        if viewer.member_id is None:
            raise Conflict("You came with a key, which has no password and no other projects.")
        async with self._database.transaction(None) as tx:
            await be_member(tx, viewer.member_id)
            return (await tx.scalars(select(Member).where(Member.id == viewer.member_id))).one()
