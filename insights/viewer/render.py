"""Turns templates into pages: escaped, strict about missing values, with the headers that keep a page harmless."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.postgres.acting import acting
from insights.identity.masks import masked_address
from insights.privacy.readers import provider_words
from insights.viewer import wording
from insights.viewer.feedback import done, refusal
from insights.viewer.places import PLACES
from insights.vocabulary.shares import percent

HERE = Path(__file__).parent
STATIC = HERE / "static"

POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:;"
    " frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def environment() -> Environment:
    """The templates. Everything is escaped: what they show was written by strangers."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "label": wording.label,
        "percent": percent,
        "duration": wording.duration,
        "offset": wording.offset,
        "short_id": wording.short_id,
        "masked": wording.masked,
        "masked_address": masked_address,
        "provider_words": provider_words,
    }
    made.globals |= {
        "money": wording.money,
        "moment": wording.moment,
        "short_moment": wording.short_moment,
        "ago": wording.ago,
        "reasons": {str(reason): words for reason, words in wording.REASONS.items()},
        "asset": asset,
        "places": PLACES,
    }
    return made


def page(
    templates: Environment, request: Request, template: str, now: datetime, /, *, status: int = 200, **context: Any
) -> HTMLResponse:
    """The template as an answer. ``viewer`` (who is logged in) is None unless it is in ``context``."""
    context.setdefault("viewer", None)
    refused = refusal(request)
    context |= {"done": done(request), "refusal": refused, "typed": refused.typed if refused else {}}
    text = templates.get_template(f"{template}.html").render(root=root(request), now=now, **context)
    # Pages hold customers' data: no cache keeps them, and "back" after a logout shows nothing.
    return HTMLResponse(text, status_code=status, headers={"Cache-Control": "no-store"})


def root(request: Request) -> str:
    """The path the viewer is mounted at, without a slash at its end."""
    return str(request.scope.get("root_path", "")).rstrip("/")


@cache
def asset(name: str) -> str:
    """The address of a static file under the viewer. Its content is in it, so that it may be kept for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


class Headers:
    """ASGI middleware: the security headers on every answer that brings none of its own.

    Static files asked for by their content live long.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if "cache-control" not in headers:
                    kept = scope["query_string"].startswith(b"v=") and message["status"] in (200, 304)
                    headers["Cache-Control"] = "public, max-age=31536000, immutable" if kept else "no-cache"
            await send(message)

        # Whoever the page finds out to be acting does so until its answer is out, and no longer.
        with acting(None):
            await self._app(scope, receive, with_headers)
