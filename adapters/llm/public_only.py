"""Connects to the public internet only: for addresses that a customer typed in.

A name is resolved once, judged, and that very address is connected to, so that a name which changes its mind in between
(DNS rebinding) reaches nothing inside. The certificate is still checked for the name.
"""

from __future__ import annotations

from collections.abc import Callable

import httpx

from adapters.channels.public_address import is_public
from adapters.channels.webhook import Resolve, resolve


class PublicOnly(httpx.AsyncBaseTransport):
    """A transport that raises ConnectError for anything that is not on the public internet."""

    def __init__(self, *, resolve: Resolve = resolve, public: Callable[[str], bool] = is_public) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self._resolve = resolve
        self._public = public

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):
            addresses = []
        # One inner address among public ones is refused too: which of them is used must not be luck.
        if not addresses or not all(self._public(address) for address in addresses):
            raise httpx.ConnectError("This address is not on the public internet.", request=request)
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=addresses[0])
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def client_for(timeout: httpx.Timeout, *, public_only: bool) -> httpx.AsyncClient:
    """A client of the project's own dependency: openai's default is another package, with other timeouts.

    ``public_only``: no proxy of the environment either, which would connect for us, unjudged.
    """
    if public_only:
        return httpx.AsyncClient(timeout=timeout, transport=PublicOnly(), trust_env=False)
    return httpx.AsyncClient(timeout=timeout)
