"""Every page of the viewer, taken from its own routes: a page that somebody adds is looked at without being named.

A route's parameters are filled from what a test stored (``known``: parameter → values). A parameter that nobody knows
is an error: whoever adds it says what it may be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Final

from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

NOT_PAGES: Final = frozenset({"/sessions/tail", "/reports/mix.csv", "/reports/mix.svg", "/v1/{rest:path}"})
"""What answers a GET with something else than a page: streams, files, the API for our own scripts."""

WITHOUT_LOGIN: Final = frozenset({"/login", "/invitation", "/forgotten", "/password"})
"""Pages of people who are not logged in; those who are may see them too."""

BESIDES: Final[Mapping[str, Sequence[str]]] = {
    "/login": ("?over=1", "?over=form"),
    "/sessions": ("?text=nobody", "?reason=technical_error", "?reason=x&kind=abandoned", "?state=open"),
    "/sessions/{session_id}": ("?events=2",),
    "/visitors/{visitor_id}": ("?names=whole",),
    "/patterns": ("?show=over",),
    "/reports": ("?split=2026-11-20", "?dimension=page&name=/nowhere", "?by=product"),
    "/reports/sessions": ("?reason=technical_error",),
    "/actions/new": ("?kind=discount_popup",),
    "/flows": ("?archived=true",),
    "/segments/{segment}": ("?who=now",),
    "/settings/changes": ("?subject=flow", "?subject=member"),
    "/invitation": ("?link=unknown",),
    "/password": ("?link=unknown",),
}
"""Other states of a page that are worth a look."""


def routes(app: ASGIApp) -> list[Route]:
    """The viewer's own routes out of the application that it is mounted in."""
    whole = _inside(app)
    mount = next(route for route in whole.routes if isinstance(route, Mount) and route.path == "/app")
    return [route for route in _inside(mount.app).routes if isinstance(route, Route)]


def _inside(app: Any) -> Starlette:
    """The application under what is wrapped around it."""
    while not isinstance(app, Starlette):
        app = app._app
    return app


def pages(app: ASGIApp, known: Mapping[str, Sequence[str]]) -> list[str]:
    """The address of each page under the viewer, with each known value of its parameters, and its other states."""
    found: list[str] = []
    for route in routes(app):
        if "GET" not in (route.methods or ()) or route.path in NOT_PAGES:
            continue
        first, *others = _filled(route.path, known)
        found += [first, *others, *(first + query for query in BESIDES.get(route.path, ()))]
    return found


def _filled(path: str, known: Mapping[str, Sequence[str]]) -> Iterator[str]:
    names = re.findall(r"\{(\w+)", path)
    for name in names:
        assert known.get(name), f"{path}: tests/viewer must know a {name} to look at this page"
    for values in product(*(known[name] for name in names)):
        filled = path
        for name, value in zip(names, values, strict=True):
            filled = re.sub(rf"\{{{name}(:\w+)?\}}", lambda _, value=value: value, filled)  # type: ignore[misc]
        yield filled
