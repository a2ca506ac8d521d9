"""What every group of pages stands on: who looks, what it reads from, how a page, a form or a refusal is answered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.postgres.engine import Database
from insights.access.roles import Role
from insights.errors import Changed, NotAllowed, NotFound, WhyleftError
from insights.viewer.faulty_fields import Called, as_is, told
from insights.viewer.feedback import Refusal, refusal, refuse
from insights.viewer.form import MAX_BYTES, read_form
from insights.viewer.gate import FOREIGN_FORM, STALE_FORM, Gate, Viewer
from insights.viewer.reading import Reader
from insights.viewer.render import page, root

Show = Callable[[Request, Viewer], Awaitable[Response]]
Take = Callable[[Request, Viewer, dict[str, str]], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Desk:
    """What all groups share. Pages read through ``reader`` and write through ``database``. ``public_url``: where the
    operator says that the server is reached, without a slash at its end; empty when nobody has said so."""

    database: Database
    reader: Reader
    gate: Gate
    templates: Environment
    clock: Callable[[], datetime]
    public_url: str = ""


class PageGroup(ABC):
    """Pages about one thing. A handler gets a request and whoever is logged in; what it raises becomes a page."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @abstractmethod
    def routes(self) -> list[BaseRoute]:
        """Where its pages answer, under the viewer."""

    @property
    def _reader(self) -> Reader:
        return self._desk.reader

    @property
    def _database(self) -> Database:
        return self._desk.database

    def _now(self) -> datetime:
        return self._desk.clock()

    def _get(self, path: str, show: Show, *, missing: str = "There is no such page", role: Role = Role.READER) -> Route:
        """A page to look at. ``missing`` is the headline when what it is about does not exist; ``role`` is the least
        that may look."""

        async def handle(request: Request) -> Response:
            viewer = await self._desk.gate.viewer(request)
            if viewer is None:
                return self._desk.gate.to_login(request)
            if not viewer.role.includes(role):
                return self._not_for(request, viewer, role)
            try:
                return await show(request, viewer)
            except WhyleftError as error:
                title = missing if isinstance(error, NotFound) else error.title
                return self._say(request, viewer, error.status, title, error.detail)

        return Route(path, handle, methods=["GET"])

    def _post(
        self,
        path: str,
        take: Take,
        *,
        form: str,
        refused: str = "Nothing was changed",
        role: Role = Role.EDITOR,
        again: Show | None = None,
        called: Called = as_is,
        most: int = MAX_BYTES,
    ) -> Route:
        """A form that was signed for ``form`` (see ``_token``). ``refused`` is the headline when it is not done;
        ``role`` is the least that may do it; ``again`` shows the form anew, with what was typed, when it is refused;
        ``called`` says which of its fields the API means; ``most``: bytes that it may have."""

        async def handle(request: Request) -> Response:
            fields = await read_form(request, most)
            viewer = await self._desk.gate.viewer(request)
            if viewer is None:
                return self._desk.gate.to_login_from_form(request)
            ours = self._desk.gate.is_ours(request, form, fields.get("token", ""))
            if not ours and (again is None or not self._desk.gate.is_from_a_page_of_ours(request)):
                return self._say(request, viewer, 403, refused, FOREIGN_FORM)
            if not viewer.role.includes(role):
                return self._not_for(request, viewer, role)
            try:
                if not ours:
                    raise NotAllowed(STALE_FORM)
                return await take(request, viewer, fields)
            except WhyleftError as error:
                if again is None:
                    return self._say(request, viewer, error.status, refused, told(error, called, fields)[0])
                text, beside = told(error, called, fields)
                refuse(request, Refusal(refused, text, fields, error.status, beside))
                try:
                    answer = await again(request, viewer)
                except WhyleftError as gone:  # what the form was about is not there any more
                    return self._say(request, viewer, gone.status, refused, gone.detail)
                answer.status_code = error.status
                return answer

        return Route(path, handle, methods=["POST"])

    def _page(self, request: Request, viewer: Viewer, template: str, /, **context: Any) -> Response:
        """The template with who is looking."""
        return page(self._desk.templates, request, template, self._now(), viewer=viewer, **context)

    def _say(self, request: Request, viewer: Viewer, status: int, title: str, text: str) -> Response:
        """A headline and what to do."""
        return page(
            self._desk.templates, request, "message", self._now(), status=status, viewer=viewer, title=title, text=text
        )

    def _not_for(self, request: Request, viewer: Viewer, role: Role) -> Response:
        text = f"You are here as {viewer.role}, and this needs {role}. An admin of the project can give you that role."
        return self._say(request, viewer, 403, "This is not for your role", text)

    def _server(self, request: Request) -> str:
        """Where the server is reached, to be shown: as its operator says, or else as whoever asks has come to it."""
        return self._desk.public_url or f"{request.base_url.scheme}://{request.base_url.netloc}"

    def _token(self, request: Request, form: str) -> str:
        """Signs a form for whoever is logged in."""
        return self._desk.gate.token(request, form)

    @staticmethod
    def _to(request: Request, path: str, *, done: str = "") -> Response:
        """On to another page, after a form was taken. ``done``: what it did, a word of ``feedback.DONE``."""
        # It is said at the top: no place further down is gone to then.
        return RedirectResponse(f"{root(request)}{path}" + (f"?done={done}" if done else ""), status_code=303)


def path_id(request: Request, name: str, what: str) -> UUID:
    """The id in the address. Raises NotFound: ``what`` is a noun, as in "That is no session id"."""
    try:
        return UUID(request.path_params[name])
    except ValueError:
        raise NotFound(f"That is no {what} id: one has 32 hexadecimal digits.") from None


def looked_at(form: Mapping[str, str]) -> str:
    """The revision that a form was made for, as a condition on what it does: an If-Match header, or "" for none."""
    revision = form.get("revision", "")
    return f'"{revision}"' if revision.isdecimal() else ""


def revision_of(request: Request, typed: Mapping[str, str], stored: int) -> str:
    """The revision to write into a form: what is stored, or still the one that was looked at when it was filled in.

    After a refusal because of somebody else's change the page shows that change, so what is sent then knows of it.
    """
    refused = refusal(request)
    changed = refused is not None and refused.status == Changed.status
    return str(stored) if changed else typed.get("revision", str(stored))
