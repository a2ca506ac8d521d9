"""Logs people in and out: by e-mail and password, by secret key, or because a trusted proxy says who they are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import select, update
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.postgres.acting import Actor, acting
from adapters.postgres.engine import Database
from insights.access.logins import Logins
from insights.access.member_passwords import still_has
from insights.access.members import member_named, places_of, typed_email
from insights.access.passwords import Passwords
from insights.access.throttle import LoginThrottles, account, address
from insights.access.tokens import hash_of
from insights.errors import TooMany
from insights.models import ApiKey, Login, Member
from insights.viewer.form import read_form
from insights.viewer.gate import FOREIGN_FORM, LOGIN_COOKIE, Gate
from insights.viewer.login import ResolveKey, inside
from insights.viewer.render import root

log = structlog.get_logger()

_MAX_KEY = 200

NOTHING_TYPED = "Type your e-mail address and password, or paste a secret key. It begins with wl_s_."
WRITE_KEY = (
    "That is a write key: it belongs into the shop's pages and can only report events. The viewer needs the project's "
    "secret key, which begins with wl_s_."
)
UNKNOWN_KEY = (
    "This key is not known, or was revoked. Check that it was copied whole, or make a new one with "
    "“whyleft keys create --project NAME --kind secret”."
)
LIMITED_KEY = "This key is limited to some operations. The viewer needs a secret key without limits."
WRONG = "E-mail address or password is wrong. If you forgot the password, ask for a link to set a new one."
NOWHERE = "You belong to no project. Ask an admin of the project for an invitation."


class LoginPages:
    """Login and logout."""

    def __init__(
        self,
        database: Database,
        gate: Gate,
        logins: Logins,
        *,
        resolve_key: ResolveKey,
        passwords: Passwords,
        throttles: LoginThrottles,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._gate = gate
        self._logins = logins
        self._resolve_key = resolve_key
        self._passwords = passwords
        self._throttles = throttles
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Where they answer, under the viewer."""
        return [
            Route("/login", self.show, methods=["GET"], name="login"),
            Route("/login", self.enter, methods=["POST"]),
            Route("/logout", self.leave, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The login page; with single sign-on, what the proxy says of who is there."""
        next_page = request.query_params.get("next", "")
        named = self._gate.named_by_proxy(request)
        if named is None:
            return self._form(request, next_page)
        async with self._database.transaction(None) as tx:
            member = await member_named(tx, named)
        entered = None if member is None else await self.admit(request, member, next_page)
        if entered is None:
            log.info("viewer_login_refused", why="unknown_to_us")
            return self._form(request, next_page, error=f"You are {named} here. {NOWHERE}", status=403)
        return entered

    async def enter(self, request: Request) -> Response:
        """E-mail and password, or a key, were typed in."""
        form = await read_form(request)
        next_page = form.get("next", "")
        if not self._gate.is_strangers(request, "login", form.get("token", "")):
            log.info("viewer_login_refused", why="foreign_form")
            return self._form(request, next_page, error=FOREIGN_FORM, status=403)
        key, email = form.get("key", "").strip(), typed_email(form.get("email", ""))
        if key:
            return await self._by_key(request, key, next_page)
        if email and form.get("password"):
            return await self._by_password(request, email, form["password"], next_page)
        return self._form(request, next_page, error=NOTHING_TYPED, status=400)

    async def leave(self, request: Request) -> Response:
        """The logout button."""
        form = await read_form(request)
        viewer = await self._gate.viewer(request)
        if viewer is None:
            return self._gate.to_login_plainly(request)
        if not self._gate.is_ours(request, "logout", form.get("token", "")):
            return self._gate.form(
                request,
                "message",
                "none",
                status=403,
                viewer=viewer,
                title="You are still logged in",
                text=FOREIGN_FORM,
            )
        return await self._gate.show_out(request)

    async def admit(
        self,
        request: Request,
        member: Member,
        next_page: str,
        *,
        project_id: UUID | None = None,
        by_password: str | None = None,
    ) -> Response | None:
        """Logs a member in, to ``project_id`` or where they were last; None where they belong nowhere, or no longer
        have ``by_password``, the hash that was compared.

        The cookie is a new one, and the login of the old one is over.
        """
        now = self._clock()
        async with self._database.transaction(None) as tx:
            places = [place.project_id for place in await places_of(tx, member.id)]
            last = await tx.scalar(
                select(Login.project_id)
                .where(Login.member_id == member.id, Login.project_id.in_(places))
                .order_by(Login.created_at.desc(), Login.id.desc())
                .limit(1)
            )
        if not places or (project_id is not None and project_id not in places):
            return None
        where = project_id or last or places[0]
        browser = self._gate.browser(request)
        with acting(Actor("member", str(member.id), member.email, browser.network)):
            await self._logins.end(request.cookies.get(LOGIN_COOKIE, ""), now)
            async with self._database.transaction(where) as tx:
                if by_password is not None and not await still_has(tx, member.id, by_password):
                    return None
                token = self._logins.begin(tx, where, browser, now, member_id=member.id)
        log.info("viewer_login", project=str(where), by="member")
        return self._gate.let_in(request, token, next_page)

    async def _by_password(self, request: Request, email: str, password: str, next_page: str) -> Response:
        buckets = [account(email), address(self._gate.address(request))]
        try:
            await self._throttles.begin(buckets, self._clock())
            async with self._database.transaction(None) as tx:
                member = await member_named(tx, email)
            verdict = await self._passwords.verify(None if member is None else member.password, password)
        except TooMany as error:
            log.info("viewer_login_refused", why="too_many", network=self._gate.browser(request).network)
            response = self._form(request, next_page, error=error.detail, status=429)
            response.headers["Retry-After"] = str(error.retry_after)
            return response
        if member is None or not verdict.right:
            log.info("viewer_login_refused", why="wrong_password", network=self._gate.browser(request).network)
            return self._form(request, next_page, error=WRONG, status=401)
        await self._throttles.succeeded(buckets)
        compared = member.password
        if verdict.anew is not None:
            async with self._database.transaction(None) as tx:
                if await still_has(tx, member.id, compared):
                    await tx.execute(update(Member).where(Member.id == member.id).values(password=verdict.anew))
                    compared = verdict.anew
        entered = await self.admit(request, member, next_page, by_password=compared)
        return entered or self._form(request, next_page, error=NOWHERE, status=403)

    async def _by_key(self, request: Request, key: str, next_page: str) -> Response:
        resolved = await self._resolve_key(key) if len(key) <= _MAX_KEY and key.isprintable() else None
        if resolved is None:
            log.info("viewer_login_refused", why="unknown_key", network=self._gate.browser(request).network)
            return self._form(request, next_page, error=UNKNOWN_KEY, status=401)
        project_id = resolved.project_id
        if resolved.kind != "secret":
            log.info("viewer_login_refused", why="write_key", project=str(project_id))
            return self._form(request, next_page, error=WRITE_KEY, status=401)
        async with self._database.transaction(project_id) as tx:
            row = await tx.scalar(
                select(ApiKey).where(
                    ApiKey.project_id == project_id, ApiKey.key_hash == hash_of(key), ApiKey.revoked_at.is_(None)
                )
            )
        if row is None:
            log.info("viewer_login_refused", why="revoked_key", project=str(project_id))
            return self._form(request, next_page, error=UNKNOWN_KEY, status=401)
        if row.scopes:
            return self._form(request, next_page, error=LIMITED_KEY, status=403)
        now = self._clock()
        browser = self._gate.browser(request)
        with acting(Actor("key", str(row.id), row.name or f"{row.prefix}…", browser.network)):
            await self._logins.end(request.cookies.get(LOGIN_COOKIE, ""), now)
            async with self._database.transaction(project_id) as tx:
                token = self._logins.begin(tx, project_id, browser, now, key_id=row.id)
        log.info("viewer_login", project=str(project_id), by="key")
        return self._gate.let_in(request, token, next_page)

    def _form(self, request: Request, next_page: str, *, error: str = "", status: int = 200) -> Response:
        return self._gate.form(
            request,
            "login",
            "login",
            status=status,
            error=error,
            over="" if error else request.query_params.get("over", ""),
            next_page=inside(next_page, root(request)) or "",
        )
