"""The door: knows on every page who is looking and what they may do, and signs the forms they are served."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from uuid import UUID

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from adapters.postgres.acting import Actor, act_as
from insights.access.logins import ABSOLUTE, Browser, Logins
from insights.access.members import typed_email
from insights.access.roles import Role
from insights.traffic.addresses import holder_named, truncated
from insights.viewer.login import Signer, inside
from insights.viewer.render import page, root

LOGIN_COOKIE = "whyleft_viewer"
FORM_COOKIE = "whyleft_form"

FOREIGN_FORM = "That form was open for too long or came from another page, so nothing was done. Please try again."

STALE_FORM = (
    "You logged in again after you had opened this form, so nothing was done yet. What you typed is kept: look at it, "
    "and send it once more."
)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever is looking: the project they may see, what they may do in it, and the tokens of their forms.

    ``member_id`` and ``email`` are None for somebody who came with a secret key.
    """

    project_id: UUID
    project_name: str
    role: Role
    name: str
    login_id: UUID
    member_id: UUID | None
    email: str | None
    logout_token: str
    feedback_token: str

    def may(self, role: str) -> bool:
        """Whether they may do what ``role`` (reader, editor, admin) may."""
        return self.role.includes(Role(role))


class Gate:
    """Who is there, and whether a form is ours. ``sso_header``: where a trusted proxy names who it logged in."""

    def __init__(
        self,
        logins: Logins,
        *,
        signer: Signer,
        templates: Environment,
        secure_cookies: bool,
        clock: Callable[[], datetime],
        sso_header: str = "",
    ) -> None:
        self._logins = logins
        self._signer = signer
        self._templates = templates
        self._secure = secure_cookies
        self._clock = clock
        self._sso_header = sso_header

    async def viewer(self, request: Request) -> Viewer | None:
        """Who is looking, or None. A key that was revoked, or a member taken out, ends the login."""
        cookie = request.cookies.get(LOGIN_COOKIE, "")
        found = await self._logins.find(cookie, self._clock()) if cookie else None
        if found is None:
            return None
        named = self.named_by_proxy(request)
        if named is not None and found.email is not None and named != found.email:
            return None  # somebody else sits at the proxy's other end now
        kind, identifier = ("member", found.member_id) if found.member_id else ("key", found.key_id)
        act_as(Actor(kind, str(identifier), found.name, self.browser(request).network))
        return Viewer(
            project_id=found.project_id,
            project_name=found.project_name,
            role=found.role,
            name=found.name,
            login_id=found.login_id,
            member_id=found.member_id,
            email=found.email,
            logout_token=self._signer.form_token("logout", cookie),
            feedback_token=self._signer.form_token("feedback", cookie),
        )

    def named_by_proxy(self, request: Request) -> str | None:
        """The e-mail address that a trusted proxy says its user has; None without single sign-on."""
        if not self._sso_header or not request.scope.get("whyleft.peer_trusted", False):
            return None
        named = request.headers.getlist(self._sso_header)
        return typed_email(_as_utf8(named[0])) or None if len(named) == 1 else None

    @property
    def single_sign_on(self) -> bool:
        """Whether a proxy logs people in."""
        return bool(self._sso_header)

    def token(self, request: Request, form: str) -> str:
        """The token of a form, for whoever is logged in."""
        return self._signer.form_token(form, request.cookies.get(LOGIN_COOKIE, ""))

    def is_ours(self, request: Request, purpose: str, token: str) -> bool:
        """Whether a posted form was served to whoever is logged in here."""
        return self._is_ours(request, purpose, request.cookies.get(LOGIN_COOKIE, ""), token)

    @staticmethod
    def is_from_a_page_of_ours(request: Request) -> bool:
        """Whether the browser says that a page of this server sent the form, whoever it was served to."""
        return request.headers.get("sec-fetch-site") == "same-origin"

    def is_strangers(self, request: Request, purpose: str, token: str) -> bool:
        """Whether a posted form was served to this browser, logged in or not."""
        return self._is_ours(request, purpose, request.cookies.get(FORM_COOKIE, ""), token)

    def form(self, request: Request, name: str, purpose: str, *, status: int = 200, **context: Any) -> Response:
        """The template ``name`` with a form for whoever is not logged in."""
        holder = request.cookies.get(FORM_COOKIE, "")
        fresh = not (len(holder) == 32 and holder.isalnum() and holder.isascii())
        if fresh:
            holder = secrets.token_hex(16)
        token = self._signer.form_token(purpose, holder)
        response = page(self._templates, request, name, self._clock(), status=status, token=token, **context)
        # The address may be a link that somebody else could use: no log of what is asked for next has it.
        response.headers["Referrer-Policy"] = "no-referrer"
        if fresh:
            self.set_cookie(request, response, FORM_COOKIE, holder, None)
        return response

    def let_in(self, request: Request, token: str, next_page: str = "") -> Response:
        """Hands over the cookie of a new login, and leads to where they wanted to go."""
        base = root(request)
        response = RedirectResponse(inside(next_page, base) or f"{base}/", status_code=303)
        self.set_cookie(request, response, LOGIN_COOKIE, token, int(ABSOLUTE.total_seconds()))
        return response

    async def show_out(self, request: Request) -> Response:
        """Ends the login, here and on the server."""
        await self._logins.end(request.cookies.get(LOGIN_COOKIE, ""), self._clock())
        response = self.to_login_plainly(request)
        response.delete_cookie(LOGIN_COOKIE, path=root(request) or "/", secure=self._secure, httponly=True)
        return response

    def to_login(self, request: Request) -> Response:
        """Sends a stranger to the login, which leads back here."""
        query = request.scope["query_string"].decode("latin-1")
        asked = {"next": quote(request.scope["path"]) + (f"?{query}" if query else "")}
        if request.cookies.get(LOGIN_COOKIE):
            asked["over"] = "1"
        return RedirectResponse(f"{root(request)}/login?{urlencode(asked)}", status_code=303)

    def to_login_from_form(self, request: Request) -> Response:
        """To the login, which says that the form was not taken, and leads back to the page that it stood on."""
        asked, came = {"over": "form"}, urlsplit(request.headers.get("referer", ""))
        if came.netloc == request.headers.get("host"):
            asked["next"] = came.path + (f"?{came.query}" if came.query else "")
        return RedirectResponse(f"{root(request)}/login?{urlencode(asked)}", status_code=303)

    def to_login_plainly(self, request: Request) -> Response:
        """To the login, which leads to the start."""
        return RedirectResponse(f"{root(request)}/login", status_code=303)

    @staticmethod
    def browser(request: Request) -> Browser:
        """What is kept of where a request comes from."""
        host = request.client.host if request.client is not None else ""
        return Browser(truncated(host), request.headers.get("user-agent", ""))

    @staticmethod
    def address(request: Request) -> str:
        """What attempts from this request's address are counted under."""
        return holder_named(request.client.host if request.client is not None else "")

    def _is_ours(self, request: Request, purpose: str, holder: str, token: str) -> bool:
        # Browsers say where a request comes from; the token is for those that do not.
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        return self._signer.form_is_ours(purpose, holder, token)

    def set_cookie(self, request: Request, response: Response, name: str, value: str, max_age: int | None) -> None:
        """A cookie for the viewer's own pages alone. ``max_age`` in seconds; None: until the browser is closed."""
        response.set_cookie(
            name,
            value,
            max_age=max_age,
            path=root(request) or "/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )


def _as_utf8(header: str) -> str:
    # Headers are read as Latin-1; proxies write addresses beyond ASCII in UTF-8.
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header
