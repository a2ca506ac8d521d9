"""Turns templates into pages: escaped, strict about missing values, with the headers that keep a page harmless."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from insights.viewer import wording

HERE = Path(__file__).parent
STATIC = HERE / "static"

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none';"
    " base-uri 'none'"
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
        "percent": wording.percent,
        "duration": wording.duration,
        "offset": wording.offset,
        "short_id": wording.short_id,
    }
    made.globals |= {
        "money": wording.money,
        "moment": wording.moment,
        "short_moment": wording.short_moment,
        "ago": wording.ago,
        "reasons": {str(reason): words for reason, words in wording.REASONS.items()},
        "stylesheet": _stylesheet(),
    }
    return made


def page(
    templates: Environment, request: Request, name: str, now: datetime, *, status: int = 200, **context: Any
) -> HTMLResponse:
    """The template ``name`` as an answer. ``viewer`` (who is logged in) is None unless it is in ``context``."""
    context.setdefault("viewer", None)
    text = templates.get_template(f"{name}.html").render(root=root(request), now=now, **context)
    # Pages hold customers' data: no cache keeps them, and "back" after a logout shows nothing.
    return HTMLResponse(text, status_code=status, headers={"Cache-Control": "no-store"})


def root(request: Request) -> str:
    """The path the viewer is mounted at, without a slash at its end."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def _stylesheet() -> str:
    """The stylesheet's address. Its content is in it, so that it may be kept for ever."""
    digest = hashlib.sha256((STATIC / "viewer.css").read_bytes()).hexdigest()[:12]
    return f"/static/viewer.css?v={digest}"


class Headers:
    """ASGI middleware: the security headers on every answer, long life for static files asked for by content."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                if "cache-control" not in headers:
                    kept = scope["query_string"].startswith(b"v=") and message["status"] in (200, 304)
                    headers["Cache-Control"] = "public, max-age=31536000, immutable" if kept else "no-cache"
            await send(message)

        await self._app(scope, receive, with_headers)
