"""The door: logs people in by secret key and out again, and knows on every page who is looking."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode
from uuid import UUID

import structlog
from jinja2 import Environment
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from insights.models import ApiKey, Project
from insights.viewer.form import read_form
from insights.viewer.login import LIFETIME, ResolveKey, Signer, inside, key_hash
from insights.viewer.reading import Reader
from insights.viewer.render import page, root

log = structlog.get_logger()

LOGIN_COOKIE = "whyleft_viewer"
FORM_COOKIE = "whyleft_form"
_MAX_KEY = 200

NO_KEY = "Paste a secret key. It begins with wl_s_."
WRITE_KEY = (
    "That is a write key: it belongs into the shop's pages and can only report events. The viewer needs the project's "
    "secret key, which begins with wl_s_."
)
UNKNOWN_KEY = (
    "This key is not known, or was revoked. Check that it was copied whole, or make a new one with "
    "“whyleft keys create --project NAME --kind secret”."
)
FOREIGN_FORM = "That form was open for too long or came from another page, so nothing was done. Please try again."


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever is looking: the project they may see, and the tokens of their forms."""

    project_id: UUID
    project_name: str
    logout_token: str
    feedback_token: str


class Gate:
    """Handlers of login and logout, and the question who is there."""

    def __init__(
        self,
        reader: Reader,
        *,
        resolve_key: ResolveKey,
        signer: Signer,
        templates: Environment,
        secure_cookies: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self._reader = reader
        self._resolve_key = resolve_key
        self._signer = signer
        self._templates = templates
        self._secure = secure_cookies
        self._clock = clock

    async def viewer(self, request: Request) -> Viewer | None:
        """Who is looking, or None. A key that was revoked since ends its logins."""
        cookie = request.cookies.get(LOGIN_COOKIE, "")
        login = self._signer.login(cookie) if cookie else None
        if login is None:
            return None
        async with self._reader.reading(login.project_id) as tx:
            name = await tx.scalar(
                select(Project.name)
                .join(ApiKey, ApiKey.project_id == Project.id)
                .where(ApiKey.project_id == login.project_id, ApiKey.id == login.key_id)
                .where(ApiKey.kind == "secret", ApiKey.revoked_at.is_(None))
            )
        if name is None:
            return None
        return Viewer(
            login.project_id,
            name,
            self._signer.form_token("logout", cookie),
            self._signer.form_token("feedback", cookie),
        )

    def token(self, request: Request, form: str) -> str:
        """The token of a form, for whoever is logged in."""
        return self._signer.form_token(form, request.cookies.get(LOGIN_COOKIE, ""))

    def to_login(self, request: Request) -> Response:
        """Sends a stranger to the login, which leads back here."""
        query = request.scope["query_string"].decode("latin-1")
        asked = {"next": quote(request.scope["path"]) + (f"?{query}" if query else "")}
        if request.cookies.get(LOGIN_COOKIE):
            asked["over"] = "1"
        return RedirectResponse(f"{root(request)}/login?{urlencode(asked)}", status_code=303)

    async def show(self, request: Request) -> Response:
        """The login page."""
        return self._form(request, next_page=request.query_params.get("next", ""))

    async def enter(self, request: Request) -> Response:
        """A key was typed in."""
        form = await read_form(request)
        next_page = form.get("next", "")
        holder = request.cookies.get(FORM_COOKIE, "")
        if not self._is_ours(request, "login", holder, form.get("token", "")):
            log.info("viewer_login_refused", why="foreign_form")
            return self._form(request, next_page, error=FOREIGN_FORM, status=403)
        key = form.get("key", "").strip()
        if not key:
            return self._form(request, next_page, error=NO_KEY, status=400)
        resolved = await self._resolve_key(key) if len(key) <= _MAX_KEY and key.isprintable() else None
        if resolved is None:
            log.info("viewer_login_refused", why="unknown_key")
            return self._form(request, next_page, error=UNKNOWN_KEY, status=401)
        if resolved.kind != "secret":
            log.info("viewer_login_refused", why="write_key", project=str(resolved.project_id))
            return self._form(request, next_page, error=WRITE_KEY, status=401)
        async with self._reader.reading(resolved.project_id) as tx:
            key_id = await tx.scalar(
                select(ApiKey.id).where(
                    ApiKey.project_id == resolved.project_id,
                    ApiKey.key_hash == key_hash(key),
                    ApiKey.revoked_at.is_(None),
                )
            )
        if key_id is None:
            log.info("viewer_login_refused", why="revoked_key", project=str(resolved.project_id))
            return self._form(request, next_page, error=UNKNOWN_KEY, status=401)
        log.info("viewer_login", project=str(resolved.project_id))
        base = root(request)
        response = RedirectResponse(inside(next_page, base) or f"{base}/sessions", status_code=303)
        self._set(
            request,
            response,
            LOGIN_COOKIE,
            self._signer.cookie(resolved.project_id, key_id),
            int(LIFETIME.total_seconds()),
        )
        return response

    async def leave(self, request: Request) -> Response:
        """The logout button."""
        form = await read_form(request)
        cookie = request.cookies.get(LOGIN_COOKIE, "")
        if not self._is_ours(request, "logout", cookie, form.get("token", "")):
            viewer = await self.viewer(request)
            if viewer is None:
                return self.to_login_plainly(request)
            return page(
                self._templates,
                request,
                "message",
                self._clock(),
                status=403,
                viewer=viewer,
                title="You are still logged in",
                text=FOREIGN_FORM,
            )
        response = self.to_login_plainly(request)
        response.delete_cookie(LOGIN_COOKIE, path=root(request) or "/", secure=self._secure, httponly=True)
        return response

    def to_login_plainly(self, request: Request) -> Response:
        """To the login, which leads to the start."""
        return RedirectResponse(f"{root(request)}/login", status_code=303)

    def is_ours(self, request: Request, purpose: str, token: str) -> bool:
        """Whether a posted form was served to whoever is logged in here."""
        return self._is_ours(request, purpose, request.cookies.get(LOGIN_COOKIE, ""), token)

    def _is_ours(self, request: Request, purpose: str, holder: str, token: str) -> bool:
        # Browsers say where a request comes from; the token is for those that do not.
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        return self._signer.form_is_ours(purpose, holder, token)

    def _form(self, request: Request, next_page: str, *, error: str = "", status: int = 200) -> Response:
        holder = request.cookies.get(FORM_COOKIE, "")
        fresh = not (len(holder) == 32 and holder.isalnum() and holder.isascii())
        if fresh:
            holder = secrets.token_hex(16)
        response = page(
            self._templates,
            request,
            "login",
            self._clock(),
            status=status,
            error=error,
            over=request.query_params.get("over") == "1" and not error,
            next_page=inside(next_page, root(request)) or "",
            token=self._signer.form_token("login", holder),
        )
        if fresh:
            self._set(request, response, FORM_COOKIE, holder, None)
        return response

    def _set(self, request: Request, response: Response, name: str, value: str, max_age: int | None) -> None:
        response.set_cookie(
            name,
            value,
            max_age=max_age,
            path=root(request) or "/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )
