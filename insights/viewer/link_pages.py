"""Pages behind links that work once: accepting an invitation, setting a new password; and asking for such a link."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.postgres.acting import Actor, acting
from adapters.postgres.engine import Database
from insights.access import member_passwords, members
from insights.access.passwords import LONGEST, SHORTEST, Passwords
from insights.access.post import Post
from insights.access.throttle import LoginThrottles, account, address
from insights.errors import Conflict, NotFound, Refused, TooMany
from insights.models import Member
from insights.viewer.form import read_form
from insights.viewer.gate import FOREIGN_FORM, Gate
from insights.viewer.login_pages import WRONG, LoginPages

log = structlog.get_logger()

OTHERWISE = "The two passwords are not the same."


class LinkPages:
    """What a link opens for somebody who is not logged in."""

    def __init__(
        self,
        database: Database,
        gate: Gate,
        login_pages: LoginPages,
        *,
        passwords: Passwords,
        throttles: LoginThrottles,
        post: Post,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._gate = gate
        self._login_pages = login_pages
        self._passwords = passwords
        self._throttles = throttles
        self._post = post
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Where they answer, under the viewer."""
        return [
            Route("/invitation", self.invitation, methods=["GET"]),
            Route("/invitation", self.accept, methods=["POST"]),
            Route("/forgotten", self.forgotten, methods=["GET"]),
            Route("/forgotten", self.ask, methods=["POST"]),
            Route("/password", self.password, methods=["GET"]),
            Route("/password", self.set_password, methods=["POST"]),
        ]

    async def invitation(self, request: Request) -> Response:
        """Who invites to what. Looking accepts nothing: mail scanners open links too."""
        return await self._invitation(request, request.query_params.get("link", ""))

    async def accept(self, request: Request) -> Response:
        """The invitation is taken up: by somebody new with a password to be, by a member with the one they have."""
        form = await read_form(request)
        link = form.get("link", "")
        if not self._gate.is_strangers(request, "invitation", form.get("token", "")):
            return self._foreign(request)
        now = self._clock()
        try:
            async with self._database.transaction(None) as tx:
                invitation, _ = await members.invitation_of(tx, link, now)
                email, project_id = invitation.email, invitation.project_id
                known = await members.member_named(tx, email)
        except NotFound as error:
            return self._over(request, error.detail)
        hashed = None  # of the password that lets them in
        try:
            if self._gate.single_sign_on:
                if self._gate.named_by_proxy(request) != email:
                    raise Refused(f"This invitation is for {email}. Log in at the proxy as that.")
            elif known is not None and known.password is not None:
                buckets = [account(email), address(self._gate.address(request))]
                await self._throttles.begin(buckets, now)
                if not (await self._passwords.verify(known.password, form.get("password", ""))).right:
                    return await self._invitation(request, link, error=WRONG, status=401)
                await self._throttles.succeeded(buckets)
                hashed = known.password
            else:
                hashed = await self._new_password(form)
        except (Refused, TooMany) as error:
            return await self._invitation(request, link, error=error.detail, status=error.status)
        try:
            with acting(Actor("member", None, email, self._gate.browser(request).network)):
                async with self._database.transaction(None) as tx:
                    invitation, _ = await members.invitation_of(tx, link, now)
                    await members.accept(tx, invitation, hashed, now)
                    member = await members.member_named(tx, email)
        except NotFound as error:
            return self._over(request, error.detail)
        except Conflict as error:
            return await self._invitation(request, link, error=error.detail, status=error.status)
        log.info("invitation_accepted", project=str(project_id))
        return await self._enter(request, member, hashed, project_id)

    async def forgotten(self, request: Request) -> Response:
        """Asks for the e-mail address."""
        return self._gate.form(request, "forgotten", "forgotten", asked=False, error="", mails=self._post.can_send)

    async def ask(self, request: Request) -> Response:
        """Mails a link, if there is such a member; the answer is the same, and as quick, if there is not."""
        form = await read_form(request)
        shown = {"mails": self._post.can_send}
        if not self._gate.is_strangers(request, "forgotten", form.get("token", "")):
            return self._gate.form(
                request, "forgotten", "forgotten", status=403, asked=False, error=FOREIGN_FORM, **shown
            )
        email = members.typed_email(form.get("email", ""))
        now = self._clock()
        try:
            asked_for = account(f"forgotten {email}"), address(f"forgotten {self._gate.address(request)}")
            await self._throttles.begin(asked_for, now)
        except TooMany as error:
            response = self._gate.form(
                request, "forgotten", "forgotten", status=429, asked=False, error=error.detail, **shown
            )
            response.headers["Retry-After"] = str(error.retry_after)
            return response
        answer = self._gate.form(request, "forgotten", "forgotten", asked=True, error="", **shown)
        if self._post.can_send:
            # After the answer, which would come later where there is such a member.
            answer.background = BackgroundTask(self._mail_link, email, now, self._gate.browser(request).network)
        return answer

    async def _mail_link(self, email: str, now: datetime, network: str) -> None:
        with acting(Actor("system", None, "the login page", network)):
            async with self._database.transaction(None) as tx:
                member = await members.member_named(tx, email)
                token = None if member is None else await member_passwords.offer_reset(tx, member.id, now)
        if token is not None:
            self._post.reset(email, token)

    async def password(self, request: Request) -> Response:
        """Asks for the new password."""
        return await self._password(request, request.query_params.get("link", ""))

    async def set_password(self, request: Request) -> Response:
        """The new password is set; every login with the old one is over."""
        form = await read_form(request)
        link = form.get("link", "")
        if not self._gate.is_strangers(request, "password", form.get("token", "")):
            return self._foreign(request)
        now = self._clock()
        try:
            # The link first: hashing for whoever makes one up would take the turns of those who log in.
            async with self._database.transaction(None) as tx:
                member_id, email = await member_passwords.reset_of(tx, link, now)
            hashed = await self._new_password(form)
            with acting(Actor("member", str(member_id), email, self._gate.browser(request).network)):
                async with self._database.transaction(None) as tx:
                    member_id, email = await member_passwords.reset_of(tx, link, now)
                    await member_passwords.set_password(tx, member_id, hashed, now)
                    member = await members.member_named(tx, email)
        except (Refused, TooMany) as error:
            return await self._password(request, link, error=error.detail, status=error.status)
        except NotFound as error:
            return self._over(request, error.detail)
        log.info("password_reset")
        await self._throttles.succeeded([account(email)])
        return await self._enter(request, member, hashed)

    async def _new_password(self, form: dict[str, str]) -> str:
        if form.get("password", "") != form.get("again", ""):
            raise Refused(OTHERWISE, field="again")
        return await self._passwords.hash(form.get("password", ""))

    async def _enter(
        self, request: Request, member: Member | None, by_password: str | None, project_id: UUID | None = None
    ) -> Response:
        entered = None
        if member is not None:
            entered = await self._login_pages.admit(request, member, "", project_id=project_id, by_password=by_password)
        return entered or self._gate.to_login_plainly(request)

    async def _invitation(self, request: Request, link: str, *, error: str = "", status: int = 200) -> Response:
        try:
            async with self._database.transaction(None) as tx:
                invitation, project = await members.invitation_of(tx, link, self._clock())
                known = await members.member_named(tx, invitation.email)
        except NotFound as gone:
            return self._over(request, gone.detail)
        return self._gate.form(
            request,
            "invitation",
            "invitation",
            status=status,
            error=error,
            link=link,
            email=invitation.email,
            role=invitation.role,
            project=project,
            known=known is not None and known.password is not None,
            single_sign_on=self._gate.single_sign_on,
            shortest=SHORTEST,
            longest=LONGEST,
        )

    async def _password(self, request: Request, link: str, *, error: str = "", status: int = 200) -> Response:
        try:
            async with self._database.transaction(None) as tx:
                _, email = await member_passwords.reset_of(tx, link, self._clock())
        except NotFound as gone:
            return self._over(request, gone.detail)
        return self._gate.form(
            request,
            "password",
            "password",
            status=status,
            error=error,
            link=link,
            email=email,
            shortest=SHORTEST,
            longest=LONGEST,
        )

    def _foreign(self, request: Request) -> Response:
        return self._gate.form(request, "message", "none", status=403, title="Nothing was done", text=FOREIGN_FORM)

    def _over(self, request: Request, detail: str) -> Response:
        return self._gate.form(
            request, "message", "none", status=404, title="This link does not work any more", text=detail
        )
