"""A secret that was just made, shown on the page after its form and nowhere else: loaded anew, that page makes no
second one.

It goes to the browser and back in a cookie of its own, signed for the login that made it, which may make such secrets
anyway. It is good for a minute, and the page that shows it takes it away.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from insights.viewer.gate import Gate
from insights.viewer.render import root

COOKIE: Final = "whyleft_made"
SECONDS: Final = 60


def hand_over(gate: Gate, request: Request, answer: Response, made: object) -> Response:
    """``answer``, which leads to the page that shows ``made`` (JSON)."""
    packed = base64.urlsafe_b64encode(json.dumps(made).encode()).decode()
    gate.set_cookie(request, answer, COOKIE, f"{packed}.{gate.token(request, _purpose(packed))}", SECONDS)
    return answer


def handed_over(gate: Gate, request: Request) -> Any:
    """What the form before this page made; None where nothing was, or somebody else did."""
    packed, _, proof = request.cookies.get(COOKIE, "").partition(".")
    if not packed or not gate.is_ours(request, _purpose(packed), proof):
        return None
    return json.loads(base64.urlsafe_b64decode(packed))


def take_away(request: Request, answer: Response) -> Response:
    """The page that showed it: loaded anew it shows nothing."""
    if COOKIE in request.cookies:
        answer.delete_cookie(COOKIE, path=root(request) or "/", httponly=True)
    return answer


def _purpose(packed: str) -> str:
    return f"made {packed}"
