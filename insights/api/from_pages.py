"""Addresses besides /v1/events that pages of a shop send to: they can read why they are refused."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute

from insights.api.problem import refusal
from insights.api.safe_headers import READABLE
from insights.errors import WhyleftError

_READABLE: Final = {name.decode(): value.decode() for name, value in READABLE}


class FromPages(APIRoute):
    """A route whose refusals browsers give to the page that sent the request."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own, with every WhyleftError answered where it is known who asked."""
        handle = super().get_route_handler()

        async def readable(request: Request) -> Response:
            try:
                return await handle(request)
            except WhyleftError as error:
                return refusal(error, _READABLE)

        return readable
